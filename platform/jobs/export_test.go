package jobs

// Halted is closed when a Stop has begun and no more jobs are claimed.
func (r *Runner) Halted() <-chan struct{} { return r.claims.Done() }
