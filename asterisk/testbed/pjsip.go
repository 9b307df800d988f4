package testbed

import (
	"fmt"
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
send_pai=yes
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
	for i := range a.opt.Extensions {
		fmt.Fprintf(&b, `[%[1]s](leg)
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
`, Extension(i), a.opt.AgentContext, password)
	}
	return b.String()
}
