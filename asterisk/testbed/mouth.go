package testbed

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/emiago/diago"
	"github.com/emiago/diago/media"

	"markaz/asterisk/testbed/tone"
)

// mouth is what a phone sends: a tone, silence, keys. A telephone sends RTP all
// the time; Asterisk counts on it (ANSWER takes 500 ms without).
type mouth struct {
	keys   chan rune
	floods chan string
	mu     sync.Mutex
	says   tone.Tone
	idle   chan chan struct{}
}

// keyGap is the sound between two keys, without which Asterisk takes two equal
// keys for one.
const keyGap = 5 // frames

func newMouth() *mouth {
	return &mouth{keys: make(chan rune), floods: make(chan string), idle: make(chan chan struct{})}
}

func (m *mouth) say(t tone.Tone) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.says = t
}

func (m *mouth) tone() tone.Tone {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.says
}

// drain waits until the last key was sent.
func (m *mouth) drain(ctx context.Context, ended <-chan struct{}) error {
	done := make(chan struct{})
	select {
	case m.idle <- done:
	case <-ended:
		return ErrEnded
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-done:
		return nil
	case <-ended:
		return ErrEnded
	}
}

// run sends until the call ends. The writer's clock makes each turn 20 ms.
func (m *mouth) run(d *diago.DialogMedia, ended <-chan struct{}) {
	w, err := d.AudioWriterDTMF()
	if err != nil {
		return
	}
	gap := 0
	for n := 0; ; n += tone.FrameLen {
		keys := m.keys
		if gap > 0 {
			gap--
			keys = nil
		}
		select {
		case <-ended:
			return
		case done := <-m.idle:
			close(done)
		case key := <-keys:
			if err := w.WriteDTMF(key); err != nil {
				return
			}
			d.RTPPacketWriter.DelayTimestamp(dtmfSamples) // the key took time in which no sound was sent
			gap = keyGap
		case keys := <-m.floods:
			if err := flood(d.RTPPacketWriter, w, keys); err != nil {
				return
			}
		default:
		}
		if _, err := w.Write(m.tone().Frame(n)); err != nil && !errors.Is(err, net.ErrClosed) {
			continue // a hold may swap the session in between
		} else if err != nil {
			return
		}
	}
}

// flood sends keys as no telephone would: ten in the time of one frame of
// sound, each of a first and a last packet.
func flood(p *media.RTPPacketWriter, sound io.Writer, keys string) error {
	silence := tone.Tone{}.Frame(0)
	for i, key := range keys {
		event := media.RTPDTMFEncode8000(key)
		first, last := media.DTMFEncode(event[0]), media.DTMFEncode(event[len(event)-1])
		if _, err := p.WriteSamples(first, 0, true, media.CodecTelephoneEvent8000.PayloadType); err != nil {
			return err
		}
		if _, err := p.WriteSamples(last, tone.FrameLen, false, media.CodecTelephoneEvent8000.PayloadType); err != nil {
			return err
		}
		if i%10 == 9 {
			if _, err := sound.Write(silence); err != nil {
				return err
			}
		}
	}
	return nil
}

// dtmfSamples is how long diago's seven packets of a key take.
const dtmfSamples = 7 * tone.FrameLen

// listen hears until the call ends.
func (c *Conversation) listen(d *diago.DialogMedia) {
	r, err := d.AudioReader()
	if err != nil {
		return
	}
	buf := make([]byte, media.RTPBufSize)
	var key uint32 // RTP time stamp of the last key, which all its packets share
	for {
		n, err := r.Read(buf)
		select {
		case <-c.ended:
			return
		default:
		}
		if errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) {
			return
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			_ = d.StartRTP(1, 0) // diago interrupts reading when it swaps sessions
		}
		if err != nil {
			continue
		}
		switch head := d.RTPPacketReader.PacketHeader; {
		case head.PayloadType == media.CodecAudioUlaw.PayloadType:
			c.hear(buf[:n], time.Now())
		case head.PayloadType == media.CodecTelephoneEvent8000.PayloadType && head.Timestamp != key:
			key = head.Timestamp
			c.noteKey(buf[:n])
		}
	}
}

func (c *Conversation) noteKey(payload []byte) {
	var ev media.DTMFEvent
	if media.DTMFDecode(payload, &ev) != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.digits += string(media.DTMFToRune(ev.Event))
}
