package call

// Q.850 causes (ITU-T Q.850 table 1) that Markaz itself decides by.
const (
	CauseUnallocated   = 1
	CauseNormal        = 16
	CauseBusy          = 17
	CauseNoResponse    = 18
	CauseNoAnswer      = 19
	CauseAbsent        = 20
	CauseRejected      = 21
	CauseElsewhere     = 26
	CauseOutOfOrder    = 27
	CauseInvalidNumber = 28
	CauseNormalUnspec  = 31
	CauseNoCircuit     = 34
	CauseTemporary     = 41
	CauseInterworking  = 127
)

// ResultOf reads a leg's result from the Q.850 cause with which it ended
// before anybody answered it.
func ResultOf(cause int) Result {
	switch cause {
	case CauseBusy:
		return Busy
	case CauseRejected:
		return Rejected
	case CauseElsewhere:
		return AnsweredElsewhere
	case CauseNormal, CauseNoResponse, CauseNoAnswer, CauseNormalUnspec, 0:
		return NoAnswer
	}
	return Failed
}

// SIPOf gives the SIP status that RFC 3398 section 7.2.4.1 maps a Q.850 cause
// to, for sources that report no SIP status of their own; 0 if it maps to
// none, as normal clearing does.
func SIPOf(cause int) int {
	switch cause {
	case 1, 2, 3:
		return 404
	case 17:
		return 486
	case 18:
		return 408
	case 19, 20:
		return 480
	case 21, 55, 57, 87:
		return 403
	case 22:
		return 410
	case 27, 111:
		return 502
	case 28:
		return 484
	case 29:
		return 501
	case 31:
		return 480
	case 34, 38, 41, 42, 47:
		return 503
	case 58, 65, 70:
		return 488
	case 88:
		return 503
	case 102:
		return 504
	}
	return 0
}
