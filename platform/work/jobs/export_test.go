package jobs

// Halted gives a channel that is closed when a Stop has begun and no more jobs are claimed: a claim that was under way then
// has ended too.
func (r *Runner) Halted() <-chan struct{} {
	halted := make(chan struct{})
	go func() {
		<-r.claims.Done()
		r.claimer.Wait()
		close(halted)
	}()
	return halted
}
