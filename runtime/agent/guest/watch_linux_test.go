package guest

import (
	"testing"
	"time"
)

func TestBombWatch(t *testing.T) {
	for name, c := range map[string]struct {
		perSecond int64
		seconds   int
		want      bool
	}{
		"nothing":                          {0, 60, false},
		"a program that meets the limit":   {40, 1, false},
		"a pool that retries for an hour":  {4, 3600, false},
		"a quick bomb":                     {5000, 1, true},
		"a bomb on a share of a slow core": {12, 10, true},
	} {
		now := time.Unix(0, 0)
		watch, refused, exploded := newBombWatch(0, now), int64(0), false
		for range c.seconds {
			now = now.Add(time.Second)
			refused += c.perSecond
			exploded = exploded || watch.exploded(refused, now)
		}
		if exploded != c.want {
			t.Errorf("%s: exploded = %v, want %v", name, exploded, c.want)
		}
	}
}

func TestBucket(t *testing.T) {
	now := time.Unix(0, 0)
	b := bucket{forgiven: 1, last: now, seen: 100}
	for i, c := range []struct {
		after   time.Duration
		counted int64
		want    float64
	}{
		{0, 100, 0},
		{0, 105, 5},
		{2 * time.Second, 105, 3},
		{time.Second, 110, 7},
		{time.Hour, 110, 0},
		{time.Hour, 111, 1},
	} {
		now = now.Add(c.after)
		if got := b.fill(c.counted, now); got != c.want {
			t.Errorf("step %d: level %v, want %v", i, got, c.want)
		}
	}
}
