package guest

import "strconv"

// sigkill is SIGKILL's number.
const sigkill = 9

// signals are Linux's, by number, on every architecture that the guest runs on
// (signal(7)).
var signals = [...]string{
	1: "SIGHUP", 2: "SIGINT", 3: "SIGQUIT", 4: "SIGILL", 5: "SIGTRAP", 6: "SIGABRT", 7: "SIGBUS", 8: "SIGFPE",
	9: "SIGKILL", 10: "SIGUSR1", 11: "SIGSEGV", 12: "SIGUSR2", 13: "SIGPIPE", 14: "SIGALRM", 15: "SIGTERM",
	16: "SIGSTKFLT", 17: "SIGCHLD", 18: "SIGCONT", 19: "SIGSTOP", 20: "SIGTSTP", 21: "SIGTTIN", 22: "SIGTTOU",
	23: "SIGURG", 24: "SIGXCPU", 25: "SIGXFSZ", 26: "SIGVTALRM", 27: "SIGPROF", 28: "SIGWINCH", 29: "SIGIO",
	30: "SIGPWR", 31: "SIGSYS",
}

// signalName gives a number its name; real-time signals are called SIG34 and so on.
func signalName(number int) string {
	if number > 0 && number < len(signals) {
		return signals[number]
	}
	return "SIG" + strconv.Itoa(number)
}

// signalNumber finds a signal by name, with or without SIG in front.
func signalNumber(name string) (int, bool) {
	for number, s := range signals {
		if s != "" && (s == name || s == "SIG"+name) {
			return number, true
		}
	}
	return 0, false
}
