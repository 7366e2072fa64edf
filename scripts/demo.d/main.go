// Command demo.d is an editor without a window: it starts vm serve, does the
// main job through it, shows what is sent and what comes back, and checks every
// answer. It exits with 1 when one is wrong.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// patience is how long everything together may take.
const patience = 2 * time.Minute

func main() {
	program := "bin/vm"
	if len(os.Args) > 1 {
		program = os.Args[1]
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, patience)
	err := demo(ctx, program)
	cancel()
	if err != nil {
		fmt.Fprintf(os.Stderr, "\n%s %v\n", red("demo:"), err)
		os.Exit(1)
	}
}

// demo tells the story on a server of its own, and tidies up.
func demo(ctx context.Context, program string) (err error) {
	began := time.Now()
	s, err := startServer(ctx, program)
	if err != nil {
		return err
	}
	defer func() {
		if tidied := s.tidy(); err == nil {
			err = tidied
		}
	}()
	fmt.Printf("%s serve, spoken to as an editor does; state in %s, removed afterwards\n", program, s.dir)
	if err := tell(ctx, s); err != nil {
		return fmt.Errorf("%w%s", err, s.lastWords())
	}
	fmt.Printf("\n%s in %s\n", green(fmt.Sprintf("All %d answers were right,", s.answers)), span(time.Since(began)))
	return nil
}
