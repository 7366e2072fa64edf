// Package netlinktest makes networks for tests that nobody else is on: hosts that
// are network namespaces, with cables between them. It takes root; tests of
// ordinary users are skipped.
package netlinktest
