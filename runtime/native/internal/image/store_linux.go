// Package image keeps OCI images unpacked, ready to be the lower layer of a
// machine's file system.
package image

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sys/unix"

	"github.com/itechsmart/vm/runtime"
)

// Image is an unpacked one.
type Image struct {
	Root       string   `json:"-"` // the folder of its files
	Digest     string   `json:"digest"`
	Env        []string `json:"env,omitempty"`
	WorkingDir string   `json:"workingDir,omitempty"`
}

// Owners says whom an image's files belong to on the host.
type Owners struct {
	// Base is what an id of the image is shifted by; 0 = all files belong to
	// this process's user, as an ordinary user can give them to nobody else.
	Base int
}

// Store keeps images below a folder:
//
//	<digest>-<base>/root        the files
//	<digest>-<base>/image.json  the Image
//	references/<hash>.json      which digest a reference was when it was pulled
//	<digest>-<base>.lock        held while it is unpacked
//
// Several processes may use one folder at once.
type Store struct{ Dir string }

// Ensure returns the image of a reference, pulled and unpacked if it is not
// here. A reference that has been pulled is not looked up again.
func (s *Store) Ensure(ctx context.Context, reference string, owners Owners, progress runtime.Progress) (Image, error) {
	if image, err := s.known(reference, owners); err == nil {
		return image, nil
	}
	source, err := open(ctx, reference)
	if err != nil {
		return Image{}, err
	}
	digest, err := source.Digest()
	if err != nil {
		return Image{}, unavailable(reference, err)
	}
	image, err := s.unpackOnce(ctx, source, digest, reference, owners, progress)
	if err != nil {
		return Image{}, err
	}
	return image, s.remember(reference, digest.Hex)
}

// Has reports whether a machine of the reference needs no download. It fails
// with ErrUnavailable.
func (s *Store) Has(reference string) error {
	if path, local := localPath(reference); local {
		if _, err := os.Stat(path); err != nil {
			return fmt.Errorf("image %s: %w: %w", reference, err, runtime.ErrUnavailable)
		}
		return nil
	}
	if _, err := os.Stat(s.reference(reference)); err != nil {
		return runtime.WithHint(fmt.Errorf("image %s is not here: %w", reference, runtime.ErrUnavailable),
			"it is pulled when a VM of it is created: vm create NAME --runtime native --image "+reference)
	}
	return nil
}

func (s *Store) folder(digest string, owners Owners) string {
	return filepath.Join(s.Dir, fmt.Sprintf("%s-%d", digest, owners.Base))
}

func (s *Store) reference(reference string) string {
	sum := sha256.Sum256([]byte(reference))
	return filepath.Join(s.Dir, "references", hex.EncodeToString(sum[:])+".json")
}

// pulled is the content of a reference's file.
type pulled struct {
	Reference string `json:"reference"`
	Digest    string `json:"digest"`
}

// known returns the image that a reference was when it was pulled. A local path
// is always looked at, since files change.
func (s *Store) known(reference string, owners Owners) (Image, error) {
	if _, local := localPath(reference); local {
		return Image{}, fs.ErrNotExist
	}
	var p pulled
	if err := readJSON(s.reference(reference), &p); err != nil {
		return Image{}, err
	}
	return s.read(p.Digest, owners)
}

func (s *Store) read(digest string, owners Owners) (Image, error) {
	folder := s.folder(digest, owners)
	image := Image{Root: filepath.Join(folder, "root")}
	return image, readJSON(filepath.Join(folder, "image.json"), &image)
}

func (s *Store) remember(reference, digest string) error {
	path := s.reference(reference)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("remember image %s: %w", reference, err)
	}
	return writeJSON(path, pulled{reference, digest})
}

// unpackOnce unpacks an image unless that is done. Of several processes one
// does it and the others wait.
func (s *Store) unpackOnce(ctx context.Context, source v1.Image, digest v1.Hash, reference string, owners Owners, progress runtime.Progress) (Image, error) {
	folder := s.folder(digest.Hex, owners)
	if err := os.MkdirAll(s.Dir, 0o700); err != nil {
		return Image{}, fmt.Errorf("make the image folder: %w", err)
	}
	unlock, err := lock(ctx, folder+".lock")
	if err != nil {
		return Image{}, fmt.Errorf("wait for image %s: %w", reference, err)
	}
	defer unlock()
	if image, err := s.read(digest.Hex, owners); err == nil {
		return image, nil
	}
	temporary, err := os.MkdirTemp(s.Dir, ".unpacking-")
	if err != nil {
		return Image{}, fmt.Errorf("make the image folder: %w", err)
	}
	defer func() { _ = os.RemoveAll(temporary) }() // gone by its new name if all went well
	if err := unpack(ctx, source, filepath.Join(temporary, "root"), owners, counted(source, reference, progress)); err != nil {
		return Image{}, unavailable(reference, err)
	}
	config, err := source.ConfigFile()
	if err != nil {
		return Image{}, unavailable(reference, err)
	}
	image := Image{Digest: digest.String(), Env: config.Config.Env, WorkingDir: config.Config.WorkingDir}
	if err := writeJSON(filepath.Join(temporary, "image.json"), image); err != nil {
		return Image{}, err
	}
	if err := os.Rename(temporary, folder); err != nil {
		return Image{}, fmt.Errorf("store image %s: %w", reference, err)
	}
	return s.read(digest.Hex, owners)
}

// lock takes an exclusive lock on a file; ctx ends the wait.
func lock(ctx context.Context, path string) (unlock func(), err error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	locked := make(chan error, 1)
	go func() {
		// The last one out closes the file: the lock goes with it.
		for {
			err := unix.Flock(int(file.Fd()), unix.LOCK_EX)
			if errors.Is(err, unix.EINTR) {
				continue
			}
			locked <- err
			return
		}
	}()
	select {
	case err := <-locked:
		if err != nil {
			_ = file.Close()
			return nil, err
		}
		return func() { _ = file.Close() }, nil
	case <-ctx.Done():
		go func() {
			<-locked
			_ = file.Close()
		}()
		return nil, ctx.Err()
	}
}

func readJSON(path string, value any) error {
	raw, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return json.Unmarshal(raw, value)
}

// writeJSON replaces a file, whole or not at all.
func writeJSON(path string, value any) error {
	raw, err := json.Marshal(value)
	if err != nil {
		return err
	}
	file, err := os.CreateTemp(filepath.Dir(path), ".new-")
	if err != nil {
		return err
	}
	_, err = file.Write(raw)
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		_ = os.Remove(file.Name())
	}
	return err
}
