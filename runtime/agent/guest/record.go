package guest

import "github.com/itechsmart/vm/runtime/agent"

// record keeps the beginning of one stream and, in a ring, its end. Positions
// count the stream's bytes from 0.
type record struct {
	keep  int    // bytes that the record promises of either end
	span  int    // bytes that tail may hold before it forgets, at least keep
	head  []byte // the first bytes, up to keep
	tail  ring   // the last ones of those after head
	total int64  // bytes written
}

func newRecord(keep, span int) record { return record{keep: keep, span: max(keep, span)} }

// oldest is the position of the first byte in the tail.
func (r *record) oldest() int64 { return r.total - int64(r.tail.n) }

// room is how many bytes can be written before the byte at pos is forgotten;
// a pos in the head, or in a gap behind it, stands for the first of the tail.
func (r *record) room(pos int64) int {
	kept := r.total - max(pos, r.oldest())
	return r.keep - len(r.head) + r.span - int(kept)
}

// write appends p, and forgets the oldest bytes of the tail where it must.
func (r *record) write(p []byte) {
	r.total += int64(len(p))
	n := min(len(p), r.keep-len(r.head))
	r.head = append(r.head, p[:n]...)
	if p = p[n:]; len(p) == 0 {
		return
	}
	if need, size := r.tail.n+len(p), len(r.tail.buf); need > size && size < r.span {
		r.tail.resize(min(r.span, max(need, 2*size)))
	}
	r.tail.push(p)
}

// extend lets the tail hold as much more as n bytes need that follow pos.
func (r *record) extend(n int, pos int64) {
	if lack := n - r.room(pos); lack > 0 {
		r.span += lack
	}
}

// read copies bytes from position pos on. It returns how many, and the position
// after them, which lies further on where bytes were forgotten in between.
func (r *record) read(p []byte, pos int64) (n int, next int64) {
	if pos < int64(len(r.head)) {
		n = copy(p, r.head[pos:])
		return n, pos + int64(n)
	}
	pos = max(pos, r.oldest())
	n = r.tail.copy(p, int(pos-r.oldest()))
	return n, pos + int64(n)
}

// result is the record as the contract has it: keep bytes of either end.
func (r *record) result() agent.Record {
	tail := make([]byte, min(r.keep, r.tail.n))
	r.tail.copy(tail, r.tail.n-len(tail))
	return agent.Record{
		Head:    r.head,
		Tail:    tail,
		Omitted: r.total - int64(len(r.head)) - int64(len(tail)),
	}
}

// shrink frees what only followers needed, once nothing more is written.
func (r *record) shrink() {
	kept := r.result()
	*r = record{keep: r.keep, span: r.keep, head: kept.Head, tail: ring{buf: kept.Tail, n: len(kept.Tail)}, total: r.total}
}

// size is the memory that the record holds.
func (r *record) size() int { return cap(r.head) + len(r.tail.buf) }
