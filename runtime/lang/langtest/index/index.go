// Package index serves, on this host's loopback, an index of every package
// manager in the language table with one small package in it, called greeting.
// Machines of tests reach it through their allowlist; nothing comes from
// elsewhere.
package index

import (
	"embed"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/itechsmart/vm/runtime/lang"
)

// Greeting is what the package says.
const Greeting = "Hello from the index"

// Host is the name that machines know the index by. It is for the test to
// resolve: it stands for the host's loopback.
const Host = "index.example"

// Present names the package as each manager has it.
var Present = map[string]string{
	"pip": "greeting==1.0", "npm": "greeting@1.0.0", "go": "greeting.example/greeting@v1.0.0", "cargo": "greeting@1.0.0",
	"gem": "greeting:1.0.0", "cran": "greeting", "maven": "example:greeting:1.0.0", lang.System: "greeting=1.0",
}

// Absent names packages that the index does not have.
var Absent = map[string]string{
	"pip": "parting", "npm": "parting", "go": "parting.example/parting", "cargo": "parting",
	"gem": "parting", "cran": "parting", "maven": "example:parting:1.0.0", lang.System: "parting",
}

// Server is a running index.
type Server struct {
	port  string
	files map[string]served // by path; not changed once New is done
}

// New starts an index that ends with the test.
func New(t testing.TB) *Server {
	s := &Server{files: map[string]served{}}
	server := httptest.NewUnstartedServer(s)
	t.Cleanup(server.Close)
	address := server.Listener.Addr().String()
	s.port = address[strings.LastIndex(address, ":"):]
	for _, add := range []func(){s.addPip, s.addNpm, s.addGo, s.addCargo, s.addGem, s.addCran, s.addMaven, s.addApt} {
		add()
	}
	server.Start()
	return s
}

// Allow is the allowlist of a machine that reaches the index.
func (s *Server) Allow() []string { return []string{Host + s.port, "127.0.0.1" + s.port} }

// Indexes is the configuration that has managers use the index.
func (s *Server) Indexes() lang.Indexes {
	indexes := lang.Indexes{"apt": "[trusted=yes] " + s.url("apt") + "/ ./"}
	for _, name := range []string{"npm", "go", "cargo", "gem", "cran", "maven"} {
		indexes[name] = s.url(name)
	}
	indexes["pip"] = s.url("pip") + "/simple"
	return indexes
}

// url is where machines find what is served below a name.
func (s *Server) url(name string) string { return "http://" + Host + s.port + "/" + name }

// file serves bytes at a path.
func (s *Server) file(path string, data []byte) {
	s.files[path] = served{"application/octet-stream", data}
}

// page serves text of a media type at a path.
func (s *Server) page(path, media, text string) {
	s.files[path] = served{media, []byte(text)}
}

// served is a file of the index.
type served struct {
	media string
	data  []byte
}

// ServeHTTP takes paths as managers write them: a flat repository of apt's has
// dots in it.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	file, found := s.files[r.URL.Path]
	if !found {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", file.media)
	_, _ = w.Write(file.data) // a client that is gone needs none
}

//go:embed testdata
var testdata embed.FS

// fixture is a file that a tool of its language has made.
func fixture(name string) []byte {
	data, err := fs.ReadFile(testdata, "testdata/"+name)
	must(err)
	return data
}

// must panics: what is served here is made of constants.
func must(err error) {
	if err != nil {
		panic(err)
	}
}
