package main

import (
	"encoding/base64"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/itechsmart/vm/handlers"
	"github.com/itechsmart/vm/runtime/lang"
)

// codeFlags say what code is run and how, in one VM or in many.
type codeFlags struct {
	from       string // the code's file
	language   string
	env        []string
	files      []string // beside the code
	timeout    secondsFlag
	cwd        string
	user       string
	checkpoint bool
	workspace  string
}

func (f *codeFlags) add(cmd *cobra.Command, t *terminal) {
	flags := cmd.Flags()
	flags.StringVarP(&f.from, "from", "f", "", "run the code in this `file`; its extension tells the language")
	flags.StringVarP(&f.language, "language", "l", "", "`language` of the code, with @version to ask for one")
	flags.StringArrayVarP(&f.env, "env", "e", nil, "set an environment variable, `KEY=VALUE`; may be repeated")
	flags.StringArrayVar(&f.files, "file", nil, "place a file beside the code, `HOST[:GUEST]`; may be repeated")
	flags.Var(&f.timeout, "timeout", "end it after this time, such as 5s; at most 10 minutes")
	flags.StringVar(&f.cwd, "cwd", "", "working `folder` in the VM")
	flags.StringVarP(&f.workspace, "workspace", "w", "", "work in a copy of this `folder`, which goes with the run; -f FILE in it finds its neighbours")
	flags.StringVar(&f.user, "user", "", "who runs it in the VM: sandbox or root")
	flags.BoolVar(&f.checkpoint, "checkpoint", false, "take a snapshot first, whatever that costs, for vm undo; =false: none")
	completeFlag(cmd, "language", t.languageNames)
	completeFlag(cmd, "user", words("sandbox", "root"))
}

// fromStdin names standard input where a file could be named.
const fromStdin = "-"

// code is what is to be run, and whether standard input was read for it.
type code struct {
	handlers.Run
	usedStdin bool
}

// read makes the code of the arguments: the code itself, or - for standard
// input, or nothing with -f; what follows a -- goes to the program.
func (f *codeFlags) read(cmd *cobra.Command, t *terminal, args []string) (code, error) {
	own, rest := args, []string(nil)
	if dash := cmd.ArgsLenAtDash(); dash >= 0 {
		at := max(0, len(args)-(len(cmd.Flags().Args())-dash))
		own, rest = args[:at], args[at:]
	}
	c := code{Run: handlers.Run{Language: f.language, Args: rest, Timeout: f.timeout.value, Cwd: f.cwd, User: f.user}}
	c.Checkpoint = given(cmd.Flags(), "checkpoint", f.checkpoint)
	source := f.from
	switch {
	case f.from == "" && len(own) == 0:
		return c, usage("give it as an argument, as -f FILE, or as - for standard input", "there is no code to run")
	case f.from != "" && len(own) > 0, len(own) > 1:
		return c, usage("arguments of the program come after --", "%s does not know what to do with %q", cmd.CommandPath(), own[len(own)-1])
	case f.from == "" && own[0] == fromStdin:
		source = fromStdin
	}
	text, err := t.source(source, own)
	if err != nil {
		return c, err
	}
	if !utf8.Valid(text) {
		return c, usage("convert it: iconv -t UTF-8", "the code is not UTF-8 text")
	}
	c.Code, c.usedStdin = string(text), source == fromStdin
	if c.Env, err = pairsOf("env", f.env); err != nil {
		return c, err
	}
	if f.from != "" && f.from != fromStdin {
		c.URI = fileURI(f.from)
		c.Language = f.languageOfFile(t)
	}
	if f.workspace != "" {
		if c.Workspace, err = filepath.Abs(f.workspace); err != nil {
			return c, usage("", "the workspace cannot be found: %v", err)
		}
	}
	c.Files, err = beside(f.files)
	return c, err
}

// source reads code from where it is.
func (t *terminal) source(name string, args []string) ([]byte, error) {
	var text []byte
	var err error
	switch name {
	case "":
		return []byte(args[0]), nil
	case fromStdin:
		text, err = io.ReadAll(t.stdin)
	default:
		text, err = os.ReadFile(name)
	}
	if err != nil {
		return nil, usage("", "the code cannot be read: %v", err)
	}
	if len(text) == 0 {
		return nil, usage("", "there is no code in %s", name)
	}
	return text, nil
}

// languageOfFile is the language that was asked for, or the one that the file's
// extension tells; empty = the VM's.
func (f *codeFlags) languageOfFile(t *terminal) string {
	if f.language != "" {
		return f.language
	}
	settings, err := t.settings()
	if err != nil {
		return "" // opening the pool reports it
	}
	table, err := lang.New(settings.Languages)
	if err != nil {
		return ""
	}
	l, _ := table.ForFile(f.from)
	return l.ID
}

// fileURI names a file as editors do, so that its messages bear its name.
func fileURI(name string) string {
	if abs, err := filepath.Abs(name); err == nil {
		name = abs
	}
	return (&url.URL{Scheme: "file", Path: filepath.ToSlash(name)}).String()
}

// beside reads the files that are placed in the VM.
func beside(list []string) ([]handlers.File, error) {
	var files []handlers.File
	for _, item := range list {
		host, guest := item, ""
		if _, err := os.Stat(item); err != nil {
			if i := strings.LastIndexByte(item, ':'); i > 0 {
				host, guest = item[:i], item[i+1:]
			}
		}
		data, err := os.ReadFile(host)
		if err != nil {
			return nil, usage("write it as --file HOST or --file HOST:GUEST", "a file cannot be read: %v", err)
		}
		info, err := os.Stat(host)
		if err != nil {
			return nil, usage("", "a file cannot be read: %v", err)
		}
		if guest == "" {
			guest = filepath.Base(host)
		}
		file := handlers.File{Path: guest, Content: string(data), Mode: uint32(info.Mode().Perm())}
		if !utf8.Valid(data) {
			file.Content, file.Encoding = base64.StdEncoding.EncodeToString(data), "base64"
		}
		files = append(files, file)
	}
	return slices.Clip(files), nil
}
