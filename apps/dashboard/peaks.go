package dashboard

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"markaz/access"
	"markaz/call"
)

// errSound says that a recording cannot be drawn.
var errSound = errors.New("not 16-bit or 8-bit PCM in a WAV file")

// peakCount is how many bars a waveform has.
const peakCount = 400

// readPeaks finds the loudest sample of each of n equal parts of a WAV file of
// 16-bit linear samples (RIFF WAVE, format 1), as 0 to 127, for each channel.
// It reads at most one part at a time.
func readPeaks(r io.ReadSeeker, n int) ([][]int, error) {
	head, err := readHead(r)
	if err != nil {
		return nil, err
	}
	frames := head.bytes / int64(2*head.channels)
	n = int(min(int64(n), frames))
	out := make([][]int, head.channels)
	for c := range out {
		out[c] = make([]int, n)
	}
	buf := make([]byte, 0, 64<<10)
	for i := range n {
		from, to := frames*int64(i)/int64(n), frames*int64(i+1)/int64(n)
		for from < to {
			take := min(to-from, int64(cap(buf)/(2*head.channels)))
			buf = buf[:take*int64(2*head.channels)]
			if _, err := io.ReadFull(r, buf); err != nil {
				return out, nil // shorter than its header says: the rest is silence
			}
			for at := 0; at < len(buf); at += 2 {
				v := int(int16(binary.LittleEndian.Uint16(buf[at:])))
				c := at / 2 % head.channels
				out[c][i] = max(out[c][i], min(127, max(v, -v)>>8))
			}
			from += take
		}
	}
	return out, nil
}

type soundHead struct {
	channels int
	bytes    int64
}

// readHead goes to the first sample.
func readHead(r io.ReadSeeker) (soundHead, error) {
	var riff [12]byte
	if _, err := io.ReadFull(r, riff[:]); err != nil || string(riff[:4]) != "RIFF" || string(riff[8:]) != "WAVE" {
		return soundHead{}, errSound
	}
	var h soundHead
	for range 64 {
		var chunk [8]byte
		if _, err := io.ReadFull(r, chunk[:]); err != nil {
			return h, errSound
		}
		size := int64(binary.LittleEndian.Uint32(chunk[4:]))
		switch string(chunk[:4]) {
		case "fmt ":
			var f [16]byte
			if _, err := io.ReadFull(r, f[:]); err != nil || size < 16 {
				return h, errSound
			}
			h.channels = int(binary.LittleEndian.Uint16(f[2:]))
			if binary.LittleEndian.Uint16(f[:]) != 1 || binary.LittleEndian.Uint16(f[14:]) != 16 || h.channels < 1 || h.channels > 2 {
				return h, errSound
			}
			size -= 16
		case "data":
			if h.channels == 0 {
				return h, errSound
			}
			h.bytes = size
			return h, nil
		}
		if _, err := r.Seek(size+size%2, io.SeekCurrent); err != nil {
			return h, fmt.Errorf("%w: %w", errSound, err)
		}
	}
	return h, errSound
}

// peaks answers with the waveform of a recording to those who may hear it.
func (w *Web) peaks(rw http.ResponseWriter, r *http.Request, u *access.User) {
	c, ok := w.seen(rw, r, u)
	if !ok {
		return
	}
	var rec *call.Recording
	for i := range c.Recordings {
		if c.Recordings[i].ID == r.PathValue("recording") {
			rec = &c.Recordings[i]
		}
	}
	if rec == nil || rec.File == "" || w.dep.Sound == nil || !u.Can(access.Play, access.OfTalk(c)).OK {
		http.NotFound(rw, r)
		return
	}
	f, err := w.dep.Sound(*rec)
	if err != nil {
		http.NotFound(rw, r)
		return
	}
	defer f.Close()
	peaks, err := readPeaks(f, peakCount)
	if err != nil {
		http.Error(rw, err.Error(), http.StatusUnprocessableEntity)
		return
	}
	rw.Header().Set("Content-Type", "application/json")
	rw.Header().Set("Cache-Control", "private, max-age=3600")
	_ = json.NewEncoder(rw).Encode(map[string]any{"peaks": peaks}) // the client went away
}
