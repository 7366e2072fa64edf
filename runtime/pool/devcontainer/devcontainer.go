// Package devcontainer reads devcontainer.json (containers.dev) as far as a VM
// can be made like it, and names everything that it leaves out.
package devcontainer

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tidwall/jsonc"
)

// Container is what a VM takes over.
type Container struct {
	Name  string
	Image string
	Env   map[string]string
	User  string // remoteUser; "" = not said
	Setup string // script of onCreateCommand and postCreateCommand; "" = none
	// Unsupported properties, in the order of their names.
	Unsupported []Unsupported
}

// Unsupported is a property that was left out.
type Unsupported struct {
	Property string `json:"property"`
	Reason   string `json:"reason"`
}

// reasons why properties are left out, where more can be said than that they are.
var reasons = map[string]string{
	"build":                "an image is not built from a Dockerfile; name one that is built as image",
	"dockerFile":           "an image is not built from a Dockerfile; name one that is built as image",
	"dockerComposeFile":    "a VM is one container",
	"features":             "features are not installed; install what is needed in onCreateCommand",
	"forwardPorts":         "ports of a VM are not forwarded",
	"portsAttributes":      "ports of a VM are not forwarded",
	"appPort":              "ports of a VM are not forwarded",
	"mounts":               "folders of the host are not mounted into a VM",
	"workspaceMount":       "folders of the host are not mounted into a VM",
	"runArgs":              "a VM has no arguments of the engine's own",
	"privileged":           "a VM gets no privileges",
	"capAdd":               "a VM gets no privileges",
	"securityOpt":          "a VM gets no privileges",
	"hostRequirements":     "limits are the template's own",
	"customizations":       "it is for editors",
	"initializeCommand":    "nothing of a template is run on the host",
	"updateContentCommand": "only onCreateCommand and postCreateCommand are run",
	"postStartCommand":     "only onCreateCommand and postCreateCommand are run",
	"postAttachCommand":    "only onCreateCommand and postCreateCommand are run",
}

// Parse reads a file with comments and trailing commas. It fails when it is no
// JSON object, or a property that is supported has a wrong type.
func Parse(text []byte) (Container, error) {
	var properties map[string]json.RawMessage
	if err := json.Unmarshal(jsonc.ToJSON(text), &properties); err != nil {
		return Container{}, fmt.Errorf("it is not a JSON object: %w", err)
	}
	var c Container
	var onCreate, postCreate command
	into := map[string]any{
		"name": &c.Name, "image": &c.Image, "containerEnv": &c.Env, "remoteUser": &c.User,
		"onCreateCommand": &onCreate, "postCreateCommand": &postCreate,
		"$schema": new(string), // says what the file is, and nothing about the container
	}
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		target, supported := into[name]
		if !supported {
			c.leaveOut(name, cmp.Or(reasons[name], "it is not supported"))
			continue
		}
		if err := json.Unmarshal(properties[name], target); err != nil {
			return c, fmt.Errorf("%s is not what it should be: %w", name, err)
		}
	}
	c.dropVariables()
	c.Setup = string(onCreate + postCreate)
	return c, nil
}

func (c *Container) leaveOut(property, reason string) {
	c.Unsupported = append(c.Unsupported, Unsupported{property, reason})
}

// dropVariables leaves out what refers to a host or a workspace: ${localEnv:HOME}.
func (c *Container) dropVariables() {
	for _, key := range slices.Sorted(maps.Keys(c.Env)) {
		if strings.Contains(c.Env[key], "${") {
			c.leaveOut("containerEnv."+key, "variables such as ${localEnv:NAME} are not replaced")
			delete(c.Env, key)
		}
	}
}
