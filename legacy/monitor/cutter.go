package monitor

import "bytes"

// Cutter cuts a byte stream into frames by a profile. Its raw frames, one
// after the other, are the stream.
type Cutter struct {
	frame Frame
	buf   []byte
}

// NewCutter makes a cutter.
func NewCutter(f Frame) *Cutter { return &Cutter{frame: f} }

// Write takes the next bytes and hands out the frames they end: as sent, and
// stripped. Both are good until the next call.
func (c *Cutter) Write(chunk []byte, emit func(raw, frame []byte)) {
	for _, b := range chunk {
		c.buf = append(c.buf, b)
		if len(c.buf) >= c.frame.Max || c.ended() {
			c.Flush(emit)
		}
	}
}

func (c *Cutter) ended() bool {
	for _, end := range c.frame.End {
		if bytes.HasSuffix(c.buf, []byte(end)) {
			return true
		}
	}
	return false
}

// Flush hands out what has come since the last frame, if anything.
func (c *Cutter) Flush(emit func(raw, frame []byte)) {
	if len(c.buf) == 0 {
		return
	}
	frame := c.buf
	for _, end := range c.frame.End {
		if rest, ok := bytes.CutSuffix(frame, []byte(end)); ok {
			frame = rest
			break
		}
	}
	frame = bytes.Trim(frame, c.frame.Strip)
	raw := c.buf
	c.buf = c.buf[:0]
	emit(raw, frame)
}

// Pending is what has come since the last frame.
func (c *Cutter) Pending() []byte { return c.buf }

// Resume puts back what was pending.
func (c *Cutter) Resume(pending []byte) { c.buf = append(c.buf[:0], pending...) }
