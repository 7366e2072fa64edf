package runtime

import (
	"errors"
	"fmt"
	"testing"
)

func TestPlainLeavesOutTheWordsOfSentinels(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{fmt.Errorf("%w: image a is not here", ErrUnavailable), "image a is not here"},
		{WithHint(fmt.Errorf("image a is not here: %w", ErrUnavailable), "pull it"), "image a is not here"},
		{fmt.Errorf("start: %w: %w", ErrInvalidSpec, errors.New("odd name")), "start: odd name"},
		{fmt.Errorf("stop: %w", ErrNoMachine), "stop: no such machine"},
		{ErrUnavailable, "runtime unavailable"},
	} {
		if got := Plain(c.err); got != c.want {
			t.Errorf("Plain(%q) = %q, want %q", c.err, got, c.want)
		}
	}
}
