package queue

import "iter"

// key is a place in an order: lower classes first, then lower tickets. The id
// parts two of the same ticket.
type key struct {
	class  int
	ticket int64
	id     string
}

func (k key) before(l key) bool {
	if k.class != l.class {
		return k.class < l.class
	}
	if k.ticket != l.ticket {
		return k.ticket < l.ticket
	}
	return k.id < l.id
}

// weight spreads tickets evenly (the finaliser of splitmix64), so that the
// tree below stays balanced without chance.
func (k key) weight() uint64 {
	x := uint64(k.ticket) + 0x9e3779b97f4a7c15*uint64(k.class+1)
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// order is a treap: a sorted set that knows the rank of each member and its
// oldest member. Insert, remove and rank cost O(log n), the rest O(1) or the
// way to the leftmost leaf.
type order[T any] struct{ root *node[T] }

type node[T any] struct {
	key         key
	value       T
	weight      uint64
	size        int
	oldest      *node[T] // lowest ticket of this subtree, whatever the class
	left, right *node[T]
}

func (n *node[T]) len() int {
	if n == nil {
		return 0
	}
	return n.size
}

// count brings size and oldest up to date with the children.
func (n *node[T]) count() *node[T] {
	n.size, n.oldest = 1+n.left.len()+n.right.len(), n
	for _, c := range []*node[T]{n.left, n.right} {
		if c != nil && c.oldest.key.ticket < n.oldest.key.ticket {
			n.oldest = c.oldest
		}
	}
	return n
}

// split parts a tree into what comes before k and the rest.
func (n *node[T]) split(k key) (before, rest *node[T]) {
	if n == nil {
		return nil, nil
	}
	if n.key.before(k) {
		n.right, rest = n.right.split(k)
		return n.count(), rest
	}
	before, n.left = n.left.split(k)
	return before, n.count()
}

func (n *node[T]) insert(m *node[T]) *node[T] {
	switch {
	case n == nil:
		return m.count()
	case m.weight > n.weight:
		m.left, m.right = n.split(m.key)
		return m.count()
	case m.key.before(n.key):
		n.left = n.left.insert(m)
	default:
		n.right = n.right.insert(m)
	}
	return n.count()
}

// join makes one tree of two, all of the first being before all of the second.
func join[T any](a, b *node[T]) *node[T] {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	case a.weight > b.weight:
		a.right = join(a.right, b)
		return a.count()
	}
	b.left = join(a, b.left)
	return b.count()
}

func (n *node[T]) remove(k key) *node[T] {
	switch {
	case n == nil:
		return nil
	case n.key == k:
		return join(n.left, n.right)
	case k.before(n.key):
		n.left = n.left.remove(k)
	default:
		n.right = n.right.remove(k)
	}
	return n.count()
}

func (n *node[T]) walk(yield func(T) bool) bool {
	return n == nil || n.left.walk(yield) && yield(n.value) && n.right.walk(yield)
}

// insert adds a member whose key is not there yet.
func (o *order[T]) insert(k key, v T) {
	o.root = o.root.insert(&node[T]{key: k, value: v, weight: k.weight()})
}

// remove takes a member out, if it is there.
func (o *order[T]) remove(k key) { o.root = o.root.remove(k) }

func (o *order[T]) len() int { return o.root.len() }

// first returns the first member, or the zero value of an empty order.
func (o *order[T]) first() (v T) {
	n := o.root
	if n == nil {
		return v
	}
	for n.left != nil {
		n = n.left
	}
	return n.value
}

// oldest returns the member of the lowest ticket, or the zero value.
func (o *order[T]) oldest() (v T) {
	if o.root == nil {
		return v
	}
	return o.root.oldest.value
}

// before counts the members that come before k.
func (o *order[T]) before(k key) int {
	ahead := 0
	for n := o.root; n != nil; {
		if n.key.before(k) {
			ahead += n.left.len() + 1
			n = n.right
		} else {
			n = n.left
		}
	}
	return ahead
}

// all yields the members in order. The order must not change meanwhile.
func (o *order[T]) all() iter.Seq[T] {
	return func(yield func(T) bool) { o.root.walk(yield) }
}
