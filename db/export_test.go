package db

import "time"

// SetPatience sets how long calls wait for a busy database.
func SetPatience(s Store, d time.Duration) { s.(*store).patience = d }
