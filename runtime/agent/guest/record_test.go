package guest

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"
)

// A record is what a plain buffer of everything would give, as far as it
// promises.
func TestRecord(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		keep := rapid.IntRange(0, 40).Draw(t, "keep")
		r := newRecord(keep, rapid.IntRange(1, 60).Draw(t, "span"))
		var all []byte
		for range rapid.IntRange(0, 12).Draw(t, "writes") {
			p := rapid.SliceOfN(rapid.Byte(), 0, 70).Draw(t, "p")
			if rapid.Bool().Draw(t, "extend") {
				pos := rapid.Int64Range(r.oldest(), r.total).Draw(t, "pos")
				r.extend(len(p), pos)
				if r.room(pos) < len(p) {
					t.Fatalf("room %d after extending by %d", r.room(pos), len(p))
				}
			}
			room, oldest := r.room(0), r.oldest()
			r.write(p)
			all = append(all, p...)
			if forgotten := r.oldest() > max(oldest, int64(len(r.head))); forgotten != (len(p) > room) {
				t.Fatalf("room for %d, wrote %d, oldest %d → %d", room, len(p), oldest, r.oldest())
			}
			checkRecord(t, &r, all)
		}
		r.shrink()
		checkRecord(t, &r, all)
	})
}

func checkRecord(t *rapid.T, r *record, all []byte) {
	t.Helper()
	res := r.result()
	if len(res.Head) != min(r.keep, len(all)) || !bytes.HasPrefix(all, res.Head) {
		t.Fatalf("head %x of %x", res.Head, all)
	}
	if len(res.Tail) != min(r.keep, len(all)-len(res.Head)) || !bytes.HasSuffix(all, res.Tail) {
		t.Fatalf("tail %x of %x", res.Tail, all)
	}
	if got := int64(len(res.Head)+len(res.Tail)) + res.Omitted; got != int64(len(all)) {
		t.Fatalf("%d bytes told of, of %d", got, len(all))
	}
	for pos := range int64(len(all) + 1) {
		p := make([]byte, 7)
		n, next := r.read(p, pos)
		if start := next - int64(n); start < pos || !bytes.Equal(p[:n], all[start:next]) {
			t.Fatalf("read at %d gave %x up to %d of %x", pos, p[:n], next, all)
		}
		if n == 0 && next < int64(len(all)) {
			t.Fatalf("nothing to read at %d", pos)
		}
	}
}

// Following the marks covers every byte of both streams, in order.
func TestInterleaving(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var o interleaving
		var total, pos [2]int64
		turn := 0
		for range rapid.IntRange(0, 3*turns).Draw(t, "writes") {
			s := rapid.IntRange(0, 1).Draw(t, "stream")
			total[s] += rapid.Int64Range(1, 9).Draw(t, "n")
			o.add(s, total[s])
			if rapid.IntRange(0, 99).Draw(t, "follow") > 0 {
				continue
			}
			m, number, ok := o.next(turn, pos)
			if !ok {
				t.Fatal("there is something to follow")
			}
			turn, pos[m.stream] = number, m.end
		}
		for {
			m, number, ok := o.next(turn, pos)
			if !ok {
				break
			}
			if m.end <= pos[m.stream] || number < turn {
				t.Fatalf("mark %d at %d does not go on from %d, %v", number, m.end, turn, pos)
			}
			turn, pos[m.stream] = number, m.end
		}
		if pos != total {
			t.Fatalf("followed to %v of %v", pos, total)
		}
	})
}
