package config

import "time"

// checkWork checks the settings of background work and of the stop of the program.
func (c *Config) checkWork(require func(ok bool, name string)) {
	require(within(c.EchoDelay, 0, time.Minute), "ECHO_DELAY")
	require(within(c.UpkeepInterval, 100*time.Millisecond, time.Hour), "UPKEEP_INTERVAL")
	require(c.Workers >= 0 && c.Workers <= 1000, "WORKERS")
	require(c.Deliveries >= 4 && c.Deliveries <= 1000, "DELIVERY_CONCURRENCY")
	require(c.Answers >= 4 && c.Answers <= 1000, "ANSWER_CONCURRENCY")
	require(within(c.JobPoll, 10*time.Millisecond, time.Hour), "JOB_POLL_INTERVAL")
	require(within(c.JobLease, time.Second, 10*time.Minute), "JOB_LEASE")
	require(within(c.BreakerOpen, 10*time.Millisecond, time.Hour), "BREAKER_OPEN_FOR")
	require(within(c.StopDelay, 0, 10*time.Minute), "SHUTDOWN_DELAY")
	require(within(c.StopTimeout, 0, 10*time.Minute), "SHUTDOWN_TIMEOUT")
}
