package secure

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"hash"
)

var errPassword = errors.New("tls-key-file-pass is not its password")

// decryptKey returns the key in PEM without a password: an encrypted PKCS #8 structure (RFC 5958,
// with PBES2 of RFC 8018), which is what OpenSSL 3 writes, or the older form of PEM with the way of
// encryption in its head. Without either in it the file is returned as it is.
func decryptKey(file []byte, password string) ([]byte, error) {
	for rest := file; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return file, nil
		}
		legacy := block.Headers["DEK-Info"] != ""
		if !legacy && block.Type != "ENCRYPTED PRIVATE KEY" {
			continue
		}
		if password == "" {
			return nil, errors.New("it is encrypted, and tls-key-file-pass is not set")
		}
		if !legacy {
			der, err := decryptPKCS8(block.Bytes, password)
			if err != nil {
				return nil, err
			}
			return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
		}
		//lint:ignore SA1019 the form is weak against who changes the file, who could as well replace it
		der, err := x509.DecryptPEMBlock(block, []byte(password))
		if err != nil {
			return nil, errPassword
		}
		return pem.EncodeToMemory(&pem.Block{Type: block.Type, Bytes: der}), nil
	}
}

type encryptedKey struct {
	Algorithm struct {
		ID     asn1.ObjectIdentifier
		Params struct {
			KDF struct {
				ID     asn1.ObjectIdentifier
				Params struct {
					Salt   []byte
					Rounds int
					Length int                      `asn1:"optional"`
					PRF    pkix.AlgorithmIdentifier `asn1:"optional"`
				}
			}
			Cipher struct {
				ID asn1.ObjectIdentifier
				IV []byte
			}
		}
	}
	Data []byte
}

// The object identifiers of PBES2's parts.
const (
	oidPBES2  = "1.2.840.113549.1.5.13"
	oidPBKDF2 = "1.2.840.113549.1.5.12"
)

// prf is PBKDF2's function; without a name it is that of SHA-1.
func prf(oid string) func() hash.Hash {
	switch oid {
	case "", "1.2.840.113549.2.7":
		return sha1.New
	case "1.2.840.113549.2.9":
		return sha256.New
	case "1.2.840.113549.2.10":
		return sha512.New384
	case "1.2.840.113549.2.11":
		return sha512.New
	}
	return nil
}

// keyLength is that of AES in CBC mode, in bytes, 0 for other ciphers.
func keyLength(oid string) int {
	switch oid {
	case "2.16.840.1.101.3.4.1.2":
		return 16
	case "2.16.840.1.101.3.4.1.22":
		return 24
	case "2.16.840.1.101.3.4.1.42":
		return 32
	}
	return 0
}

func decryptPKCS8(der []byte, password string) ([]byte, error) {
	var k encryptedKey
	if _, err := asn1.Unmarshal(der, &k); err != nil {
		return nil, fmt.Errorf("the way it is encrypted is unknown: %w", err)
	}
	derivation, encryption := &k.Algorithm.Params.KDF, &k.Algorithm.Params.Cipher
	newHash, length := prf(derivation.Params.PRF.Algorithm.String()), keyLength(encryption.ID.String())
	if k.Algorithm.ID.String() != oidPBES2 || derivation.ID.String() != oidPBKDF2 || newHash == nil || length == 0 ||
		derivation.Params.Rounds < 1 || len(encryption.IV) != aes.BlockSize {
		return nil, errors.New("it is encrypted in another way than PBKDF2 and AES (openssl pkcs8 -topk8 -v2 aes256)")
	}
	if len(k.Data) == 0 || len(k.Data)%aes.BlockSize != 0 {
		return nil, errors.New("it is cut short")
	}
	key, err := pbkdf2.Key(newHash, password, derivation.Params.Salt, derivation.Params.Rounds, length)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	plain := make([]byte, len(k.Data))
	cipher.NewCBCDecrypter(block, encryption.IV).CryptBlocks(plain, k.Data)
	padding := int(plain[len(plain)-1])
	if padding < 1 || padding > aes.BlockSize {
		return nil, errPassword
	}
	for _, b := range plain[len(plain)-padding:] {
		if int(b) != padding {
			return nil, errPassword
		}
	}
	return plain[:len(plain)-padding], nil
}
