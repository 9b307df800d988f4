package queue

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestOrder compares the order with a sorted slice.
func TestOrder(t *testing.T) {
	histories(t, 1000)
	rapid.Check(t, func(t *rapid.T) {
		var o order[key]
		var want []key
		t.Repeat(map[string]func(*rapid.T){
			"insert": func(t *rapid.T) {
				k := key{rapid.IntRange(-2, 2).Draw(t, "class"), rapid.Int64Range(1, 50).Draw(t, "ticket"), rapid.StringOf(rapid.RuneFrom([]rune("ab"))).Draw(t, "id")}
				i, there := slices.BinarySearchFunc(want, k, compare)
				if there {
					t.Skip("there already")
				}
				o.insert(k, k)
				want = slices.Insert(want, i, k)
			},
			"remove": func(t *rapid.T) {
				if len(want) == 0 {
					t.Skip("empty")
				}
				i := rapid.IntRange(0, len(want)-1).Draw(t, "i")
				o.remove(want[i])
				want = slices.Delete(want, i, i+1)
			},
			"remove nobody": func(*rapid.T) { o.remove(key{class: 9}) },
			"": func(t *rapid.T) {
				if got := slices.Collect(o.all()); !slices.Equal(got, want) || o.len() != len(want) {
					t.Fatalf("holds %v, want %v", got, want)
				}
				for i, k := range want {
					if o.before(k) != i {
						t.Fatalf("%d before %v, want %d", o.before(k), k, i)
					}
				}
				if len(want) == 0 {
					if o.first() != (key{}) || o.oldest() != (key{}) {
						t.Fatalf("an empty order has %v first, %v oldest", o.first(), o.oldest())
					}
					return
				}
				oldest := slices.MinFunc(want, func(a, b key) int { return int(a.ticket - b.ticket) })
				if o.first() != want[0] || o.oldest().ticket != oldest.ticket {
					t.Fatalf("%v first, %v oldest, want %v, %v", o.first(), o.oldest(), want[0], oldest)
				}
			},
		})
	})
}

func compare(a, b key) int {
	switch {
	case a.before(b):
		return -1
	case b.before(a):
		return 1
	}
	return 0
}

// TestOrderStaysShallow builds the orders that really occur: tickets that only
// rise, evenly or not.
func TestOrderStaysShallow(t *testing.T) {
	const n = 20_000
	for name, ticket := range map[string]func(i int) int64{
		"one by one":       func(i int) int64 { return int64(i) },
		"a call a second":  func(i int) int64 { return 1774083600000000 + int64(i)*1_000_000 },
		"powers of two":    func(i int) int64 { return int64(i) << 20 },
		"always at midday": func(i int) int64 { return int64(i) * 86_400_000_000 },
	} {
		var o order[int]
		for i := range n {
			o.insert(key{ticket: ticket(i), id: fmt.Sprint(i % 7)}, i)
		}
		if d, most := o.root.depth(), int(4*math.Log2(n)); d > most {
			t.Errorf("%s: depth %d of %d, want at most %d", name, d, n, most)
		}
	}
}

func (n *node[T]) depth() int {
	if n == nil {
		return 0
	}
	return 1 + max(n.left.depth(), n.right.depth())
}
