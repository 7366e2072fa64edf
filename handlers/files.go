package handlers

import (
	"context"
	"encoding/base64"
	"time"
	"unicode/utf8"

	"github.com/itechsmart/vm/runtime/agent"
)

// FileParams name a file in a VM.
type FileParams struct {
	ID   ID     `json:"id" required:"true" doc:"the VM's id or name"`
	Path string `json:"path" required:"true" doc:"absolute, or below the home of the VM's user"`
}

// ReadFileParams ask for a file's content.
type ReadFileParams struct {
	FileParams
	Encoding string `json:"encoding,omitempty" enum:"utf-8,base64" doc:"default: utf-8 where the content is that, else base64"`
	Tokens
}

// ReadFileResult is a file with its content.
type ReadFileResult struct {
	Content    string    `json:"content"`
	Encoding   string    `json:"encoding" enum:"utf-8,base64"`
	Mode       uint32    `json:"mode" doc:"permission bits, as a decimal number"`
	SizeBytes  int64     `json:"sizeBytes"`
	ModifiedAt time.Time `json:"modifiedAt"`
}

// WriteFileParams give a file its content.
type WriteFileParams struct {
	FileParams
	Content  string `json:"content,omitempty"`
	Encoding string `json:"encoding,omitempty" enum:"utf-8,base64" doc:"default utf-8"`
	Mode     uint32 `json:"mode,omitzero" doc:"permission bits, as a decimal number; default: as it is, 420 (which is 0644) for a new file"`
	Tokens
}

// ListFilesParams name a folder in a VM.
type ListFilesParams struct {
	ID   ID     `json:"id" required:"true" doc:"the VM's id or name"`
	Path string `json:"path,omitempty" doc:"absolute, or below the home of the VM's user, which is the default"`
	Tokens
}

// ListFilesResult is what is in a folder, by name; of anything else that alone.
type ListFilesResult struct {
	Entries []FileEntry `json:"entries"`
	More    bool        `json:"more" doc:"there are more than the 10000 that are listed"`
}

// FileEntry is a file in a folder.
type FileEntry struct {
	Name       string    `json:"name"`
	Type       string    `json:"type" enum:"file,folder,link,other"`
	SizeBytes  int64     `json:"sizeBytes"`
	Mode       uint32    `json:"mode" doc:"permission bits, as a decimal number"`
	ModifiedAt time.Time `json:"modifiedAt"`
	Target     string    `json:"target,omitempty" doc:"what a link says"`
}

// DeleteFileParams name a file to be removed.
type DeleteFileParams struct {
	FileParams
	Recursive bool `json:"recursive,omitzero" doc:"a folder with all that is in it"`
	Tokens
}

func readFile(ctx context.Context, s Scope, p ReadFileParams) (ReadFileResult, error) {
	vm, err := s.get(ctx, p.ID)
	if err != nil {
		return ReadFileResult{}, err
	}
	info, data, err := s.ReadFile(ctx, vm, p.Path)
	if err != nil {
		return ReadFileResult{}, err
	}
	result := ReadFileResult{Mode: info.Mode, SizeBytes: int64(len(data)), ModifiedAt: info.ModifiedAt.UTC()}
	valid := utf8.Valid(data)
	switch {
	case p.Encoding == "base64", p.Encoding == "" && !valid:
		result.Content, result.Encoding = base64.StdEncoding.EncodeToString(data), "base64"
	case valid:
		result.Content, result.Encoding = string(data), "utf-8"
	default:
		return result, badParams("encoding", p.Path+" is not UTF-8; base64 takes any bytes")
	}
	return result, nil
}

func writeFile(ctx context.Context, s Scope, p WriteFileParams) (Empty, error) {
	data := []byte(p.Content)
	if p.Encoding == "base64" {
		var err error
		if data, err = base64.StdEncoding.DecodeString(p.Content); err != nil {
			return Empty{}, badParams("content", "content is not base64")
		}
	}
	if p.Mode > 0o777 {
		return Empty{}, badParams("mode", "mode has more than permission bits: it must be at most 511, which is 0777")
	}
	vm, err := s.get(ctx, p.ID)
	if err != nil {
		return Empty{}, err
	}
	return Empty{}, s.WriteFile(ctx, vm, p.Path, data, p.Mode)
}

func listFiles(ctx context.Context, s Scope, p ListFilesParams) (ListFilesResult, error) {
	vm, err := s.get(ctx, p.ID)
	if err != nil {
		return ListFilesResult{}, err
	}
	list, err := s.ListFiles(ctx, vm, p.Path)
	return ListFilesResult{encodeAll(list.Files, encodeFile), list.More}, err
}

func encodeFile(f agent.FileInfo) FileEntry {
	return FileEntry{
		Name: f.Name, Type: string(f.Type), SizeBytes: f.Size, Mode: f.Mode, ModifiedAt: f.ModifiedAt.UTC(), Target: f.Target,
	}
}

func deleteFile(ctx context.Context, s Scope, p DeleteFileParams) (Empty, error) {
	vm, err := s.get(ctx, p.ID)
	if err != nil {
		return Empty{}, err
	}
	return Empty{}, s.DeleteFile(ctx, vm, p.Path, p.Recursive)
}
