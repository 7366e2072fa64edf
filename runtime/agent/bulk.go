package agent

// Bulk points at the bytes that travel beside the run's JSON; see internal/wire.
func (r *Run) Bulk() []*[]byte {
	bulk := []*[]byte{&r.Stdin}
	for i := range r.Files {
		bulk = append(bulk, &r.Files[i].Data)
	}
	if r.Zygote != nil {
		bulk = append(bulk, &r.Zygote.Code)
	}
	return bulk
}

// Bulk points at the bytes that travel beside the result's JSON; see
// internal/wire.
func (r *Result) Bulk() []*[]byte {
	bulk := []*[]byte{&r.Stdout.Head, &r.Stdout.Tail, &r.Stderr.Head, &r.Stderr.Tail}
	for i := range r.Artifacts {
		bulk = append(bulk, &r.Artifacts[i].Data)
	}
	return bulk
}
