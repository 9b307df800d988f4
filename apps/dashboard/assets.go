package dashboard

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
)

//go:embed assets templates
var files embed.FS

// assets are the files that pages load. Their address holds the hash of all of
// them, so that a browser keeps them for good.
type assets struct {
	version string
	files   map[string]asset
}

type asset struct {
	kind   string
	plain  []byte
	zipped []byte // nil where that is no gain
}

func loadAssets() (*assets, error) {
	entries, err := files.ReadDir("assets")
	if err != nil {
		return nil, fmt.Errorf("list assets: %w", err)
	}
	a := &assets{files: map[string]asset{}}
	sum := sha256.New()
	for _, entry := range entries {
		data, err := files.ReadFile("assets/" + entry.Name())
		if err != nil {
			return nil, fmt.Errorf("read asset: %w", err)
		}
		fmt.Fprintf(sum, "%s %d\n", entry.Name(), len(data))
		sum.Write(data)
		a.files[entry.Name()] = asset{kind: kindOf(entry.Name()), plain: data, zipped: zip(data)}
	}
	a.version = hex.EncodeToString(sum.Sum(nil))[:12]
	return a, nil
}

func kindOf(name string) string {
	switch path.Ext(name) {
	case ".woff2":
		return "font/woff2"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".txt":
		return "text/plain; charset=utf-8"
	}
	return mime.TypeByExtension(path.Ext(name))
}

func zip(data []byte) []byte {
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return nil
	}
	_, _ = w.Write(data) // into memory
	_ = w.Close()
	if b.Len() > len(data)*9/10 {
		return nil
	}
	return b.Bytes()
}

// At is the address of an asset.
func (a *assets) At(name string) string { return "/assets/" + a.version + "/" + name }

func (a *assets) serve(w http.ResponseWriter, r *http.Request) {
	f, ok := a.files[r.PathValue("name")]
	if !ok {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	if r.PathValue("version") != a.version {
		h.Set("Cache-Control", "no-cache") // of a page of another version, which will soon ask anew
	}
	h.Set("Content-Type", f.kind)
	h.Set("Vary", "Accept-Encoding")
	data := f.plain
	if f.zipped != nil && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		data = f.zipped
	}
	h.Set("Content-Length", strconv.Itoa(len(data)))
	_, _ = w.Write(data) // the client went away
}

func (a *assets) icon(w http.ResponseWriter, r *http.Request) {
	http.Redirect(w, r, a.At("icon.svg"), http.StatusSeeOther)
}
