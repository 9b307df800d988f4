package testbed

import (
	"fmt"
	"strconv"
	"strings"
)

// pjsipConf writes the phones and the trunks. A caller is known by the user of
// his From header first (an extension, which must authenticate), else by his
// address (the trunk, whose callers may send any From).
func (a *Asterisk) pjsipConf() string {
	var b strings.Builder
	fmt.Fprintf(&b, `[global]
type=global
endpoint_identifier_order=username,ip
[transport-udp]
type=transport
protocol=udp
bind=%s
[leg](!)
type=endpoint
disallow=all
allow=ulaw
direct_media=no
rtp_symmetric=yes
dtmf_mode=rfc4733
[line](!,leg)
context=%s
trust_id_inbound=yes
[provider]
type=aor
contact=sip:%s
`, a.SIPAddr(), a.opt.TrunkContext, a.ProviderAddr())
	for i, name := range []string{TrunkName, Trunk2Name} {
		fmt.Fprintf(&b, `[%[1]s](line)
aors=provider
set_var=MARKAZ_TRUNK=%[1]s
[%[1]s]
type=identify
endpoint=%[1]s
match=127.0.0.%[2]d
`, name, i+1)
	}
	a.writePhones(&b)
	return b.String()
}

func (a *Asterisk) writePhones(b *strings.Builder) {
	for i := range a.opt.Extensions {
		fmt.Fprintf(b, `[%[1]s](leg)
context=%[2]s
auth=%[1]s
aors=%[1]s
callerid="Agent %[1]s" <%[1]s>
[%[1]s]
type=auth
auth_type=userpass
username=%[1]s
password=%[3]s
[%[1]s]
type=aor
max_contacts=1
remove_existing=yes
`, Extension(i), a.opt.AgentContext, Password)
	}
	for i := range a.opt.Robots {
		fmt.Fprintf(b, `[%[1]s](leg)
context=%[2]s
aors=%[1]s
callerid="Robot %[1]s" <%[1]s>
[%[1]s]
type=aor
contact=sip:%[1]s@%[3]s
`, Robot(i), a.opt.AgentContext, a.robotAddr())
	}
}

// Extension is the number of the i-th phone, from 0: 101, 102, …
func Extension(i int) string { return strconv.Itoa(101 + i) }

// Robot is the number of the i-th robot, from 0: 901, 902, …
func Robot(i int) string { return strconv.Itoa(901 + i) }
