package access

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
)

// HashCost is what a password hash costs. The zero value of each means its
// default, which follows OWASP's Password Storage Cheat Sheet: 19 MiB, two
// passes, one lane.
type HashCost struct {
	MemoryKiB uint32 `yaml:"memory_kib"`
	Passes    uint32 `yaml:"passes"`
	Lanes     uint8  `yaml:"lanes"`
}

const (
	saltLen   = 16
	hashLen   = 32
	maxMemory = 1 << 20 // KiB
	// MaxPassword bounds what is hashed, in bytes.
	MaxPassword = 200
	// MinPassword is how many bytes a password has at least that is set here.
	MinPassword = 10
)

func (c *HashCost) setDefaults() {
	if c.MemoryKiB == 0 {
		c.MemoryKiB = 19 << 10
	}
	if c.Passes == 0 {
		c.Passes = 2
	}
	if c.Lanes == 0 {
		c.Lanes = 1
	}
}

// Validate refuses costs that no machine could bear.
func (c HashCost) Validate() error {
	if c.MemoryKiB > maxMemory || c.Passes > 100 {
		return fmt.Errorf("memory_kib is at most %d, passes at most 100", maxMemory)
	}
	return nil
}

// Hash makes the Argon2id hash (RFC 9106) of a password in PHC string form.
func (c HashCost) Hash(password string) (string, error) {
	if len(password) > MaxPassword {
		return "", fmt.Errorf("password is longer than %d bytes", MaxPassword)
	}
	c.setDefaults()
	salt := make([]byte, saltLen)
	_, _ = rand.Read(salt) // never fails, see crypto/rand
	key := argon2.IDKey([]byte(password), salt, c.Passes, c.MemoryKiB, c.Lanes, hashLen)
	enc := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, c.MemoryKiB, c.Passes, c.Lanes,
		enc.EncodeToString(salt), enc.EncodeToString(key)), nil
}

// Matches reports whether the password is that of the hash. It takes as long
// for a wrong password as for the right one.
func Matches(hash, password string) bool {
	cost, salt, want, err := parseHash(hash)
	if err != nil || len(password) > MaxPassword {
		return false
	}
	have := argon2.IDKey([]byte(password), salt, cost.Passes, cost.MemoryKiB, cost.Lanes, uint32(len(want)))
	return subtle.ConstantTimeCompare(want, have) == 1
}

func checkHash(hash string) error {
	_, _, _, err := parseHash(hash)
	return err
}

var errNoHash = errors.New("is not an Argon2id hash; make one with: markaz user hash")

func parseHash(hash string) (c HashCost, salt, key []byte, err error) {
	part := strings.Split(hash, "$")
	if len(part) != 6 || part[0] != "" || part[1] != "argon2id" || part[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return c, nil, nil, errNoHash
	}
	if n, err := fmt.Sscanf(part[3], "m=%d,t=%d,p=%d", &c.MemoryKiB, &c.Passes, &c.Lanes); n != 3 || err != nil {
		return c, nil, nil, errNoHash
	}
	if c.Validate() != nil || c.MemoryKiB < 8 || c.Passes == 0 || c.Lanes == 0 {
		return c, nil, nil, errNoHash
	}
	salt, err1 := base64.RawStdEncoding.DecodeString(part[4])
	key, err2 := base64.RawStdEncoding.DecodeString(part[5])
	if errors.Join(err1, err2) != nil || len(salt) < 8 || len(key) < 16 || len(key) > 64 {
		return c, nil, nil, errNoHash
	}
	return c, salt, key, nil
}
