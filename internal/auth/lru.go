package auth

import "container/list"

// lru is a map of bounded size that forgets what was used longest ago. Its caller holds a lock.
type lru[K comparable, V any] struct {
	max   int
	items map[K]*list.Element
	order *list.List // of lruItem[K, V], the newest first
}

type lruItem[K comparable, V any] struct {
	key   K
	value V
}

func newLRU[K comparable, V any](max int) *lru[K, V] {
	return &lru[K, V]{max: max, items: map[K]*list.Element{}, order: list.New()}
}

// get returns the value of k and counts as a use.
func (l *lru[K, V]) get(k K) (v V, ok bool) {
	e, ok := l.items[k]
	if !ok {
		return v, false
	}
	l.order.MoveToFront(e)
	return e.Value.(*lruItem[K, V]).value, true
}

// put sets the value of k, and forgets the oldest if there are too many.
func (l *lru[K, V]) put(k K, v V) {
	if e, ok := l.items[k]; ok {
		e.Value.(*lruItem[K, V]).value = v
		l.order.MoveToFront(e)
		return
	}
	for len(l.items) >= l.max {
		last := l.order.Back()
		delete(l.items, last.Value.(*lruItem[K, V]).key)
		l.order.Remove(last)
	}
	l.items[k] = l.order.PushFront(&lruItem[K, V]{k, v})
}

func (l *lru[K, V]) len() int { return len(l.items) }
