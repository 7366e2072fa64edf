package guest

import (
	"math"

	"golang.org/x/sys/unix"
)

const (
	// diskFull is the free space, in bytes, below which a disk counts as full.
	diskFull = 256 << 10
	// strainedAlready is how much a program has written, in bytes, that may have
	// met the limit of a disk of which nothing else is known.
	strainedAlready = 1 << 20
	// unknownFree is the free space of a machine without a file system of its own.
	unknownFree = math.MaxInt64
)

// diskFree is what can be written to the machine's own file system yet, in bytes.
func (m *machine) diskFree() int64 {
	var st unix.Statfs_t
	if m.config.DiskPath == "" || unix.Statfs(m.config.DiskPath, &st) != nil {
		return unknownFree
	}
	if st.Files > 0 && st.Ffree == 0 {
		return 0 // of files there can be no more
	}
	return int64(st.Bavail) * st.Bsize
}

// diskUsed is what the machine's own file system holds, or -1 when it has none.
func (m *machine) diskUsed() int64 {
	var st unix.Statfs_t
	if m.config.DiskPath == "" || unix.Statfs(m.config.DiskPath, &st) != nil {
		return -1
	}
	return int64(st.Blocks-st.Bfree) * st.Bsize
}

// glanceDisk notes for what runs how much space there is.
func (m *machine) glanceDisk() {
	free := m.diskFree()
	m.mu.Lock()
	defer m.mu.Unlock()
	for p := range m.active {
		p.disk.see(free)
	}
}

// strain is what a program's life did to the disk, as far as it was seen.
type strain struct {
	first int64 // free space at the beginning
	least int64 // that was seen since
}

func newStrain(free int64) strain { return strain{first: free, least: free} }

func (s *strain) see(free int64) { s.least = min(s.least, free) }

// filled reports whether the disk became full during the program's life.
func (s *strain) filled() bool { return s.least < diskFull && s.first >= diskFull }

// strained reports whether the disk may have been full at a moment when nobody
// looked: it was seen full, or half of what was free was used up, or the program
// itself wrote as much. Where the limit is not the file system's, fileSize takes
// the place of what was free.
func (s *strain) strained(wrote, fileSize int64) bool {
	room := s.first
	switch {
	case s.least < diskFull:
		return true
	case room == unknownFree && fileSize > 0:
		room = fileSize
	case room == unknownFree:
		return wrote >= strainedAlready
	}
	return wrote >= room/2 || s.least <= s.first/2
}
