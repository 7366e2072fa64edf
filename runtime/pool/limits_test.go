package pool

import (
	"slices"
	"testing"
)

func TestDiskWatch(t *testing.T) {
	for _, test := range []struct {
		name string
		used []int64
		want []bool
	}{
		{"within its limit", []int64{10, 50, 100}, []bool{false, false, false}},
		{"grows beyond it", []int64{10, 99, 101}, []bool{false, false, true}},
		{"was beyond it before", []int64{120, 120, 119}, []bool{false, false, false}},
		{"was, and grows", []int64{120, 120, 121}, []bool{false, false, true}},
		{"shrinks and is beyond it again", []int64{120, 90, 110}, []bool{false, false, true}},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := diskWatch{limit: 100}
			var got []bool
			for _, used := range test.used {
				got = append(got, w.exceeded(used))
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("%v are %v, want %v", test.used, got, test.want)
			}
		})
	}
}
