package guest

// ring holds the last bytes of a stream.
type ring struct {
	buf   []byte
	start int // index in buf of the oldest byte
	n     int // bytes held
}

// push appends p; what does not fit pushes out the oldest bytes.
func (r *ring) push(p []byte) {
	if over := len(p) - len(r.buf); over > 0 {
		p = p[over:]
	}
	if over := r.n + len(p) - len(r.buf); over > 0 {
		r.start = (r.start + over) % len(r.buf)
		r.n -= over
	}
	for len(p) > 0 {
		end := (r.start + r.n) % len(r.buf)
		c := copy(r.buf[end:], p)
		r.n += c
		p = p[c:]
	}
}

// copy fills p from the bytes that follow the oldest skip ones.
func (r *ring) copy(p []byte, skip int) int {
	p = p[:min(len(p), r.n-skip)]
	first := copy(p, r.buf[(r.start+skip)%max(1, len(r.buf)):])
	return first + copy(p[first:], r.buf)
}

// resize changes how many bytes fit; it must not be less than are held.
func (r *ring) resize(size int) {
	buf := make([]byte, size)
	n := r.copy(buf, 0)
	*r = ring{buf: buf, n: n}
}
