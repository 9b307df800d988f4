package history

// Visible bounds what may be seen: the calls in which one of these took part,
// or was rung, and none of Not. Without any it is none; a nil Visible is every
// call.
type Visible struct {
	All                                    bool
	Extensions, Agents, Queues, Identities []string
	Not                                    []string // extensions
}

// house are the phones of the house among the parties of a call. The number of
// an outside party says nothing: whoever calls may show that of an extension.
const house = `p.root = c.id AND CASE p.role WHEN 'external' THEN p.agent <> '' WHEN 'caller' THEN (SELECT own.direction FROM calls own WHERE own.id = p.call) IN ('outbound', 'internal') ELSE 1 END`

func (c *condition) visible(v *Visible) {
	if v == nil {
		return
	}
	if len(v.Not) > 0 {
		c.and(`NOT EXISTS (SELECT 1 FROM parties p WHERE `+house+` AND p.address IN (SELECT value FROM json_each(?)))`, list(v.Not))
	}
	if v.All {
		return
	}
	queues := list(v.Queues)
	c.and(`(EXISTS (SELECT 1 FROM parties p WHERE `+house+` AND (p.address IN (SELECT value FROM json_each(?)) OR p.agent IN (SELECT value FROM json_each(?))
			OR p.queue IN (SELECT value FROM json_each(?))))
		OR EXISTS (SELECT 1 FROM stays q WHERE q.root = c.id AND q.queue IN (SELECT value FROM json_each(?)))
		OR c.identity <> '' AND c.identity IN (SELECT value FROM json_each(?)))`,
		list(v.Extensions), list(v.Agents), queues, queues, list(v.Identities))
}
