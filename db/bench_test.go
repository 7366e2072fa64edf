package db_test

import (
	"bytes"
	"testing"

	"github.com/itechsmart/vm/db"
	"github.com/itechsmart/vm/db/dbtest"
)

// BenchmarkExecution records one execution: two transactions.
func BenchmarkExecution(b *testing.B) {
	for _, engine := range dbtest.Engines() {
		b.Run(engine.Name, func(b *testing.B) {
			s := open(b, engine.New(b))
			vm := reserve(b, s, "a")
			output := bytes.Repeat([]byte("hello, world\n"), 80)
			for b.Loop() {
				e := begin(b, s, vm)
				e.Output = output
				finish(b, s, e)
			}
		})
	}
}

// BenchmarkParallel is BenchmarkExecution by several goroutines at once.
func BenchmarkParallel(b *testing.B) {
	for _, engine := range dbtest.Engines() {
		b.Run(engine.Name, func(b *testing.B) {
			s := open(b, engine.New(b))
			vm := reserve(b, s, "a")
			b.SetParallelism(8)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					finish(b, s, begin(b, s, vm))
				}
			})
		})
	}
}

// BenchmarkOpen is what each terminal command pays for an existing database.
func BenchmarkOpen(b *testing.B) {
	for _, engine := range dbtest.Engines() {
		b.Run(engine.Name, func(b *testing.B) {
			url := engine.New(b)
			open(b, url)
			for b.Loop() {
				s, err := db.Open(b.Context(), url)
				if err != nil {
					b.Fatal(err)
				}
				if err := s.Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
