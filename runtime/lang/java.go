package lang

import (
	"bytes"
	"fmt"
	"strings"
)

// Java wants everything in a class, and a public class in a file of its name.
var (
	javaNoise   = pattern(`(?s)//[^\n]*|/\*.*?\*/|"""(?:\\.|.)*?"""|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])+'`)
	javaType    = pattern(`(?:^|[^.\w])(class|interface|enum|record)\s+([\pL_$][\pL\pN_$]*)`)
	javaPublic  = pattern(`\bpublic\b`)
	javaMain    = pattern(`\bvoid\s+main\s*\(`)
	javaNoArgs  = pattern(`\bvoid\s+main\s*\(\s*\)`)
	javaPackage = pattern(`^\s*package\s+([\pL\pN_$.]+)\s*;`)
	javaHeader  = pattern(`^\s*(?:package|import)\s+[^;]*;`)
	javaName    = pattern(`^[\pL_$][\pL\pN_$]*$`)
)

// prepareJava finds the main class, names the file after the public one, and
// wraps code that is only the body of a class or of its main method. The wrapper
// stands on the first line after the imports: no line moves.
func prepareJava(s *Source) {
	text := blank(s.Code)
	header := 0
	for {
		at := javaHeader().FindIndex(text[header:])
		if at == nil {
			break
		}
		header += at[1]
	}
	name := strings.TrimSuffix(s.FileName, ".java")
	if !javaName().MatchString(name) {
		name = "Main"
	}
	shape := javaShape(text[header:])
	switch {
	case shape.main != "":
		s.Class = shape.main
	case shape.looseMain:
		start := ""
		if javaNoArgs().Match(text) {
			start = fmt.Sprintf("public static void main(String[] args) throws Exception { new %s().main(); } ", name)
		}
		s.wrap(header, fmt.Sprintf("public class %s { %s", name, start), "\n}\n")
		s.Class, shape.public = name, name
	case shape.loose:
		s.wrap(header, fmt.Sprintf("public class %s { public static void main(String[] args) throws Exception { ", name), "\n}}\n")
		s.Class, shape.public = name, name
	default:
		s.Class = shape.first
	}
	if shape.public != "" {
		name = shape.public
	}
	s.FileName = name + ".java"
	if p := javaPackage().FindSubmatch(text); p != nil {
		s.Class = string(p[1]) + "." + s.Class
	}
}

func (s *Source) wrap(at int, before, after string) {
	s.Code = bytes.Join([][]byte{s.Code[:at], []byte(before), s.Code[at:], []byte(after)}, nil)
}

// blank replaces comments and literals with spaces, so that words and braces in
// them are not taken for code. Offsets and lines stay.
func blank(code []byte) []byte {
	return javaNoise().ReplaceAllFunc(code, func(m []byte) []byte {
		return bytes.Map(func(r rune) rune {
			if r == '\n' {
				return r
			}
			return ' '
		}, asciiOnly(m))
	})
}

// asciiOnly makes every byte one rune, so that mapping keeps the length.
func asciiOnly(m []byte) []byte {
	out := bytes.Clone(m)
	for i, c := range out {
		if c >= 0x80 {
			out[i] = ' '
		}
	}
	return out
}

// shape of what stands at the top level of a file.
type shape struct {
	first     string // type
	public    string // type
	main      string // type that has a main method
	loose     bool   // something that is no type
	looseMain bool   // a main method outside of any type
}

// javaShape looks at each top-level piece: what ends with a semicolon or a
// closing brace outside of other braces.
func javaShape(text []byte) shape {
	var sh shape
	depth, begin := 0, 0
	for i, c := range text {
		switch c {
		case '{', '(', '[':
			depth++
			continue
		case '}', ')', ']':
			depth--
		}
		if depth == 0 && (c == '}' || c == ';') {
			sh.add(text[begin : i+1])
			begin = i + 1
		}
	}
	sh.add(text[begin:])
	return sh
}

func (sh *shape) add(piece []byte) {
	if len(bytes.Trim(piece, " \t\r\n;")) == 0 {
		return
	}
	head, body, _ := bytes.Cut(piece, []byte("{"))
	declared := javaType().FindSubmatch(head)
	if declared == nil {
		sh.loose = true
		sh.looseMain = sh.looseMain || javaMain().Match(head)
		return
	}
	name := string(declared[2])
	if sh.first == "" {
		sh.first = name
	}
	if sh.public == "" && javaPublic().Match(head) {
		sh.public = name
	}
	if sh.main == "" && javaMain().Match(body) {
		sh.main = name
	}
}
