// Package guest is the half of the agent that lives inside a VM: it starts
// programs, keeps their records, presses back on them when nobody reads, and
// kills their trees.
package guest
