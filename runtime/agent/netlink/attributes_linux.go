package netlink

import "encoding/binary"

// Attributes are what a message says after its fixed header: encoded pairs of a
// kind and a value, in the order in which they were added.
type Attributes []byte

const (
	attributeHeader = 4 // length and kind
	alignment       = 4 // NLMSG_ALIGNTO and NLA_ALIGNTO
	nested          = 1 << 15
	kindMask        = 1<<14 - 1 // without the flags "nested" and "in network byte order"
)

// Bytes adds a value as it is. It is not copied into each of its callers, which
// would be a fifth of what the agent has of this: the agent is to be small.
//
//go:noinline
func (a *Attributes) Bytes(kind uint16, value []byte) {
	*a = binary.NativeEndian.AppendUint16(*a, uint16(attributeHeader+len(value)))
	*a = binary.NativeEndian.AppendUint16(*a, kind)
	*a = pad(append(*a, value...))
}

// String adds a text, with the NUL that the kernel ends texts with.
func (a *Attributes) String(kind uint16, value string) { a.Bytes(kind, append([]byte(value), 0)) }

// Uint32 adds a number in the machine's byte order, as links and routes have it.
func (a *Attributes) Uint32(kind uint16, value uint32) {
	a.Bytes(kind, binary.NativeEndian.AppendUint32(nil, value))
}

// Network32 adds a number in network byte order, as packet filters have it.
func (a *Attributes) Network32(kind uint16, value uint32) {
	a.Bytes(kind, binary.BigEndian.AppendUint32(nil, value))
}

// Nest adds attributes as the value of one.
func (a *Attributes) Nest(kind uint16, inner Attributes) { a.Bytes(kind|nested, inner) }

// Find returns the value of the first attribute of a kind. It is nil when there
// is none, or when what comes before it is no attribute.
func (a Attributes) Find(kind uint16) []byte {
	for len(a) >= attributeHeader {
		length := int(binary.NativeEndian.Uint16(a))
		if length < attributeHeader || length > len(a) {
			return nil
		}
		if binary.NativeEndian.Uint16(a[2:])&kindMask == kind {
			return a[attributeHeader:length]
		}
		a = a[min(aligned(length), len(a)):]
	}
	return nil
}

func aligned(length int) int { return (length + alignment - 1) &^ (alignment - 1) }

func pad(b []byte) []byte {
	for len(b)%alignment != 0 {
		b = append(b, 0)
	}
	return b
}
