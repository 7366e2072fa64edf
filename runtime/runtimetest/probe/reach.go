//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"github.com/itechsmart/vm/runtime/runtimetest/report"
)

// reachPatience is for a connection where there is to be one, which is slow when
// the host is busy.
const reachPatience = 20 * time.Second

// reach connects to addresses, one after the other, and hears what they say.
func reach(addresses []string) error {
	reached := map[string]report.Reached{}
	for _, address := range addresses {
		said, err := hear(address)
		r := report.Reached{Said: said}
		if err != nil {
			r.Error = err.Error()
		}
		reached[address] = r
	}
	return json.NewEncoder(os.Stdout).Encode(reached)
}

func hear(address string) (string, error) {
	conn, err := net.DialTimeout("tcp", address, reachPatience)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(reachPatience)); err != nil {
		return "", err
	}
	said, err := io.ReadAll(io.LimitReader(conn, 4<<10))
	return string(said), err
}

// say answers whoever connects with the same word, for ever.
func say(args []string) error {
	listener, err := net.Listen("tcp", args[0])
	if err != nil {
		return err
	}
	fmt.Println("ready")
	for {
		conn, err := listener.Accept()
		if err != nil {
			return err
		}
		_, _ = io.WriteString(conn, args[1])
		conn.Close()
	}
}
