package agent

// Sink receives a run's output as it comes: from one goroutine, in order within
// a stream. The bytes are its own only during the call. While it blocks, the
// program is held back, once the window between guest and client is full.
type Sink func(stream Stream, p []byte)
