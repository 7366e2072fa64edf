//go:build !unix

package archive

// noWait: there are no named pipes among the files here.
const noWait = 0
