package index

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io/fs"
	"strings"
)

// addPip serves the "simple" repository API and a wheel.
func (s *Server) addPip() {
	const info = "greeting-1.0.dist-info/"
	files := []entry{
		{"greeting/__init__.py", fmt.Sprintf("TEXT = %q\n", Greeting)},
		{info + "METADATA", "Metadata-Version: 2.1\nName: greeting\nVersion: 1.0\n"},
		{info + "WHEEL", "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"},
	}
	var record strings.Builder
	for _, f := range files {
		sum := sha256.Sum256([]byte(f.text))
		fmt.Fprintf(&record, "%s,sha256=%s,%d\n", f.name, base64.RawURLEncoding.EncodeToString(sum[:]), len(f.text))
	}
	record.WriteString(info + "RECORD,,\n")
	wheel := zipOf(append(files, entry{info + "RECORD", record.String()})...)
	const name = "greeting-1.0-py3-none-any.whl"
	s.file("/pip/files/"+name, wheel)
	s.page("/pip/simple/greeting/", "text/html",
		fmt.Sprintf("<!DOCTYPE html><a href=\"../../files/%s#sha256=%x\">%[1]s</a>", name, sha256.Sum256(wheel)))
}

// addNpm serves a registry document and its tarball.
func (s *Server) addNpm() {
	tarball := tarOf(
		entry{"package/package.json", `{"name": "greeting", "version": "1.0.0", "main": "index.js"}`},
		entry{"package/index.js", fmt.Sprintf("exports.TEXT = %q\n", Greeting)},
	)
	sum := sha512.Sum512(tarball)
	document, err := json.Marshal(map[string]any{
		"name": "greeting", "dist-tags": map[string]string{"latest": "1.0.0"},
		"versions": map[string]any{"1.0.0": map[string]any{
			"name": "greeting", "version": "1.0.0", "main": "index.js",
			"dist": map[string]string{
				"tarball":   s.url("npm") + "/greeting/-/greeting-1.0.0.tgz",
				"shasum":    fmt.Sprintf("%x", sha1.Sum(tarball)),
				"integrity": "sha512-" + base64.StdEncoding.EncodeToString(sum[:]),
			},
		}},
	})
	must(err)
	s.page("/npm/greeting", "application/json", string(document))
	s.file("/npm/greeting/-/greeting-1.0.0.tgz", tarball)
}

// addGo serves the GOPROXY protocol.
func (s *Server) addGo() {
	const module, version = "greeting.example/greeting", "v1.0.0"
	const mod = "module " + module + "\n\ngo 1.19\n"
	at := "/go/" + module + "/@v/"
	s.page(at+"list", "text/plain", version+"\n")
	s.page(at+version+".info", "application/json", `{"Version": "`+version+`", "Time": "2024-01-01T00:00:00Z"}`)
	s.page(at+version+".mod", "text/plain", mod)
	s.file(at+version+".zip", zipOf(
		entry{module + "@" + version + "/go.mod", mod},
		entry{module + "@" + version + "/greeting.go", fmt.Sprintf("package greeting\n\nconst Text = %q\n", Greeting)},
	))
}

// addCargo serves a sparse registry.
func (s *Server) addCargo() {
	crate := tarOf(
		entry{"greeting-1.0.0/Cargo.toml", "[package]\nname = \"greeting\"\nversion = \"1.0.0\"\nedition = \"2021\"\n"},
		entry{"greeting-1.0.0/src/lib.rs", fmt.Sprintf("pub const TEXT: &str = %q;\n", Greeting)},
	)
	s.page("/cargo/config.json", "application/json", `{"dl": "`+s.url("cargo")+`/files/{crate}-{version}.crate"}`)
	s.page("/cargo/gr/ee/greeting", "text/plain",
		fmt.Sprintf(`{"name":"greeting","vers":"1.0.0","deps":[],"cksum":"%x","features":{},"yanked":false}`+"\n", sha256.Sum256(crate)))
	s.file("/cargo/files/greeting-1.0.0.crate", crate)
}

// addGem serves what `gem build` and `gem generate_index` have made, and the
// compact index.
func (s *Server) addGem() {
	root, err := fs.Sub(testdata, "testdata/gem")
	must(err)
	must(fs.WalkDir(root, ".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			s.file("/gem/"+path, fixture("gem/"+path))
		}
		return err
	}))
	info := fmt.Sprintf("---\n1.0.0 |checksum:%x\n", sha256.Sum256(fixture("gem/gems/greeting-1.0.0.gem")))
	s.page("/gem/info/greeting", "text/plain", info)
	s.page("/gem/versions", "text/plain", fmt.Sprintf("created_at: 2024-01-01T00:00:00Z\n---\ngreeting 1.0.0 %x\n", md5.Sum([]byte(info))))
	s.page("/gem/names", "text/plain", "---\ngreeting\n")
}

// addCran serves a source package.
func (s *Server) addCran() {
	const fields = "Package: greeting\nVersion: 1.0\nLicense: MIT\nNeedsCompilation: no\n"
	s.page("/cran/src/contrib/PACKAGES", "text/plain", fields)
	s.file("/cran/src/contrib/greeting_1.0.tar.gz", tarOf(
		entry{"greeting/DESCRIPTION", fields + "Title: Greets\nDescription: Greets.\nAuthor: Tests\n" +
			"Maintainer: Tests <tests@example.org>\n"},
		entry{"greeting/NAMESPACE", "export(text_of)\n"},
		entry{"greeting/R/greeting.R", fmt.Sprintf("text_of <- function() %q\n", Greeting)},
	))
}

// addMaven serves two artifacts: one that needs the other one, whose version
// comes from the parent of both.
func (s *Server) addMaven() {
	pom := func(name, packaging, rest string) {
		s.artifact(name, "pom", []byte("<project><modelVersion>4.0.0</modelVersion><groupId>example</groupId><artifactId>"+
			name+"</artifactId><version>1.0.0</version><packaging>"+packaging+"</packaging>"+rest+"</project>"))
	}
	const parent = "<parent><groupId>example</groupId><artifactId>parent</artifactId><version>1.0.0</version></parent>"
	dependency := func(artifact, rest string) string {
		return "<dependency><groupId>${project.groupId}</groupId><artifactId>" + artifact + "</artifactId>" + rest + "</dependency>"
	}
	pom("parent", "pom", "<properties><words>1.0.0</words></properties><dependencyManagement><dependencies>"+
		dependency("words", "<version>${words}</version>")+"</dependencies></dependencyManagement>")
	pom("greeting", "jar", parent+"<dependencies>"+dependency("words", "")+
		dependency("nowhere", "<version>9</version><scope>test</scope>")+"</dependencies>")
	pom("words", "jar", parent+"<dependencies>"+dependency("greeting", "<version>1.0.0</version>")+"</dependencies>")
	s.artifact("greeting", "jar", zipOf(entry{"example/greeting/Greeting.class", string(fixture("maven/Greeting.class"))}))
	s.artifact("words", "jar", zipOf(entry{"example/words/Words.class", string(fixture("maven/Words.class"))}))
}

func (s *Server) artifact(name, extension string, data []byte) {
	path := fmt.Sprintf("/maven/example/%s/1.0.0/%[1]s-1.0.0.%s", name, extension)
	s.file(path, data)
	s.page(path+".sha1", "text/plain", fmt.Sprintf("%x", sha1.Sum(data)))
}

// addApt serves a flat repository of Debian's.
func (s *Server) addApt() {
	const fields = "Package: greeting\nVersion: 1.0\nArchitecture: all\nMaintainer: Tests <tests@example.org>\nDescription: Greets\n"
	deb := arOf(
		entry{"debian-binary", "2.0\n"},
		entry{"control.tar.gz", string(tarOf(entry{"./control", fields}))},
		entry{"data.tar.gz", string(tarOf(entry{"./usr/bin/greeting", "#!/bin/sh\necho " + Greeting + "\n"}))},
	)
	s.page("/apt/./Packages", "text/plain", fmt.Sprintf("%sFilename: ./greeting.deb\nSize: %d\nSHA256: %x\n", fields, len(deb), sha256.Sum256(deb)))
	s.file("/apt/./greeting.deb", deb)
}
