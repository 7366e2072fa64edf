package native

import (
	"path/filepath"

	"github.com/itechsmart/vm/runtime"
)

// layout names what the driver keeps:
//
//	agent/<digest>                 the guest program
//	images/…                       unpacked images
//	native/skeletons/<digest>      the file system below a machine without an image
//	native/pristine/<size>.ext4    an empty file system of that size
//	native/<machine>/machine.json  the record; see record
//	native/<machine>/boot.log      steps of its making, with times
//	native/<machine>/console.log   what its guest printed
//	native/<machine>/agent.sock    where its guest listens
//	native/<machine>/stop          a pipe that ends it; see package sandbox
//	native/<machine>/resolv.conf   the name servers that it asks, with an uplink
//	native/<machine>/lock          held while its layers are worked on
//	native/<machine>/volume.ext4   its disk, when it has one of its own
//	native/<machine>/volume        its disk's root, or in place of a disk
//	  …/layers/0001/{upper,work}   its files, or a part of them; see stack
type layout struct{ state string }

func (l layout) agents() string    { return filepath.Join(l.state, "agent") }
func (l layout) images() string    { return filepath.Join(l.state, "images") }
func (l layout) machines() string  { return filepath.Join(l.state, "native") }
func (l layout) skeletons() string { return filepath.Join(l.machines(), "skeletons") }
func (l layout) pristine() string  { return filepath.Join(l.machines(), "pristine") }
func (l layout) machine(ref runtime.Ref) folder {
	return folder(filepath.Join(l.machines(), ref.String()))
}

// folder of one machine.
type folder string

func (f folder) record() string     { return filepath.Join(string(f), "machine.json") }
func (f folder) boot() string       { return filepath.Join(string(f), "boot.log") }
func (f folder) console() string    { return filepath.Join(string(f), "console.log") }
func (f folder) socket() string     { return filepath.Join(string(f), "agent.sock") }
func (f folder) stop() string       { return filepath.Join(string(f), "stop") }
func (f folder) lock() string       { return filepath.Join(string(f), "lock") }
func (f folder) resolvConf() string { return filepath.Join(string(f), "resolv.conf") }
func (f folder) disk() string       { return filepath.Join(string(f), "volume.ext4") }
func (f folder) volume() string     { return filepath.Join(string(f), "volume") }

func (f folder) layers() string           { return filepath.Join(f.volume(), "layers") }
func (f folder) layer(name string) string { return filepath.Join(f.layers(), name) }
func (f folder) upper(name string) string { return filepath.Join(f.layer(name), "upper") }
func (f folder) work(name string) string  { return filepath.Join(f.layer(name), "work") }
