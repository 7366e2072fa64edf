// Package errand is what the agent's program does with files inside a VM, in a
// process of the VM's user: so that user's rights hold, the machine's limits
// count, and whatever a path leads to is the VM's own business.
package errand
