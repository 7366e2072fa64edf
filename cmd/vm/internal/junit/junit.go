// Package junit writes test reports that CI systems read: the XML of Apache Ant's
// JUnit task, valid against the schema that is commonly used for it
// (github.com/windyroad/JUnit-Schema).
package junit

import (
	"encoding/xml"
	"fmt"
	"io"
	"time"
)

// Suite is one report.
type Suite struct {
	Name    string
	Package string
	Host    string // that ran it
	Began   time.Time
	Cases   []Case
	Output  string // of all cases
}

// Outcome of a case.
type Outcome int

// Outcomes.
const (
	Passed  Outcome = iota
	Failed          // it ran, and found something wrong
	Errored         // it could not be run, or not to its end
	Skipped
)

// Case is one test.
type Case struct {
	Name    string
	Class   string
	Seconds float64
	Outcome Outcome
	Type    string // kind of failure or error
	Message string // one line about it
	Text    string // all about it
}

// The elements, in the schema's order.
type (
	suites struct {
		XMLName xml.Name `xml:"testsuites"`
		Suite   suite    `xml:"testsuite"`
	}
	suite struct {
		Package    string     `xml:"package,attr"`
		ID         int        `xml:"id,attr"`
		Name       string     `xml:"name,attr"`
		Timestamp  string     `xml:"timestamp,attr"`
		Hostname   string     `xml:"hostname,attr"`
		Tests      int        `xml:"tests,attr"`
		Failures   int        `xml:"failures,attr"`
		Errors     int        `xml:"errors,attr"`
		Skipped    int        `xml:"skipped,attr"`
		Time       decimal    `xml:"time,attr"`
		Properties struct{}   `xml:"properties"`
		Cases      []testcase `xml:"testcase"`
		Stdout     string     `xml:"system-out"`
		Stderr     string     `xml:"system-err"`
	}
	testcase struct {
		Name      string  `xml:"name,attr"`
		Classname string  `xml:"classname,attr"`
		Time      decimal `xml:"time,attr"`
		Skipped   *result `xml:"skipped"`
		Error     *result `xml:"error"`
		Failure   *result `xml:"failure"`
	}
	result struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr,omitempty"`
		Text    string `xml:",chardata"`
	}
)

// decimal is a number without an exponent, as the schema wants it.
type decimal float64

// MarshalText implements encoding.TextMarshaler.
func (d decimal) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "%.3f", float64(d)), nil }

// Write writes a suite as a document. Characters that XML does not know become
// U+FFFD.
func Write(w io.Writer, s Suite) error {
	out := suite{
		Package: s.Package, Name: s.Name, Hostname: s.Host, Tests: len(s.Cases), Stdout: s.Output,
		Timestamp: s.Began.UTC().Format("2006-01-02T15:04:05"), // the schema allows no zone
	}
	for _, c := range s.Cases {
		out.add(c)
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", "  ")
	if err := enc.Encode(suites{Suite: out}); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

// add appends a case and counts it.
func (s *suite) add(c Case) {
	test := testcase{Name: c.Name, Classname: c.Class, Time: decimal(c.Seconds)}
	why := &result{Message: c.Message, Type: c.Type, Text: c.Text}
	switch c.Outcome {
	case Failed:
		test.Failure = why
		s.Failures++
	case Errored:
		test.Error = why
		s.Errors++
	case Skipped:
		why.Type, why.Text = "", "" // the schema knows neither here
		test.Skipped = why
		s.Skipped++
	}
	s.Time += test.Time
	s.Cases = append(s.Cases, test)
}
