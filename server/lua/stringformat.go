package lua

import (
	"math"
	"strconv"
	"strings"
)

// What numbers and texts are filled up with: widths and precisions have two digits.
const (
	zeros  = "000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
	blanks = "                                                                                                   "
)

// conversion is an item of a format: what C's printf takes of it, with the limits of Lua: five
// flags, and two digits each for width and precision.
type conversion struct {
	left, plus, space, alternate, zero bool

	width     int
	precision int // -1: none
	verb      byte
}

func stringFormat(t *Thread) (int, error) {
	format, err := t.CheckString(1)
	if err != nil {
		return 0, err
	}
	count := t.Count()
	b := t.newBuffer()
	for rest, arg := format.s, 1; ; {
		percent := strings.IndexByte(rest, '%')
		if percent < 0 {
			if err := b.add(rest); err != nil {
				return 0, err
			}
			return t.returnString(b.result())
		}
		if err := b.add(rest[:percent]); err != nil {
			return 0, err
		}
		rest = rest[percent+1:]
		if rest != "" && rest[0] == '%' {
			if err := b.addByte('%'); err != nil {
				return 0, err
			}
			rest = rest[1:]
			continue
		}
		if arg++; arg > count {
			return 0, t.ArgError(arg, "no value")
		}
		c, length, err := t.parseConversion(rest)
		if err != nil {
			return 0, err
		}
		if err := c.append(&b, arg); err != nil {
			return 0, err
		}
		rest = rest[length:]
	}
}

// parseConversion reads what follows a %, and returns its length.
func (t *Thread) parseConversion(s string) (c conversion, length int, err error) {
	i := 0
	for ; i < len(s) && c.flag(s[i]); i++ {
	}
	if i > 5 {
		return c, 0, t.Errorf("invalid format (repeated flags)")
	}
	digits := func() (n int) {
		for range 2 {
			if i < len(s) && isDigit(s[i]) {
				n = n*10 + int(s[i]-'0')
				i++
			}
		}
		return n
	}
	c.width, c.precision = digits(), -1
	if i < len(s) && s[i] == '.' {
		i++
		c.precision = digits()
	}
	if i < len(s) && isDigit(s[i]) {
		return c, 0, t.Errorf("invalid format (width or precision too long)")
	}
	if i < len(s) {
		c.verb = s[i]
		i++
	}
	return c, i, nil
}

// flag takes a flag, and reports whether it is one.
func (c *conversion) flag(b byte) bool {
	switch b {
	case '-':
		c.left = true
	case '+':
		c.plus = true
	case ' ':
		c.space = true
	case '#':
		c.alternate = true
	case '0':
		c.zero = true
	default:
		return false
	}
	return true
}

// append adds an argument as the conversion says.
func (c *conversion) append(b *buffer, arg int) error {
	t := b.t
	switch c.verb {
	case 's', 'q':
		s, err := t.CheckString(arg)
		if err != nil {
			return err
		}
		if c.verb == 'q' {
			return b.addQuoted(s.s)
		}
		return c.addString(b, s.s)
	case 'c', 'd', 'i', 'o', 'u', 'x', 'X', 'e', 'E', 'f', 'g', 'G':
		n, err := t.CheckNumber(arg)
		if err != nil {
			return err
		}
		return c.addNumber(b, n)
	}
	verb := string([]byte{c.verb})
	if c.verb == 0 {
		verb = ""
	}
	return t.Errorf("invalid option '%%%s' to 'format'", verb)
}

// addString is %s. As a C string the text ends at a zero byte, unless it is long.
func (c *conversion) addString(b *buffer, s string) error {
	if c.precision < 0 && len(s) >= 100 {
		return b.add(s)
	}
	s = CText(s)
	if c.precision >= 0 && len(s) > c.precision {
		s = s[:c.precision]
	}
	return c.pad(b, "", s, false)
}

// addQuoted is %q.
func (b *buffer) addQuoted(s string) error {
	if err := b.addByte('"'); err != nil {
		return err
	}
	for {
		i := strings.IndexAny(s, "\"\\\n\r\x00")
		if i < 0 {
			break
		}
		if err := b.add(s[:i]); err != nil {
			return err
		}
		escaped := ""
		switch s[i] {
		case '\r':
			escaped = `\r`
		case 0:
			escaped = `\000`
		default:
			escaped = `\` + s[i:i+1]
		}
		if err := b.add(escaped); err != nil {
			return err
		}
		s = s[i+1:]
	}
	if err := b.add(s); err != nil {
		return err
	}
	return b.addByte('"')
}

// addNumber is what prints a number.
func (c *conversion) addNumber(b *buffer, n float64) error {
	switch c.verb {
	case 'c':
		return c.addChar(b, byte(ToInt32(n)))
	case 'd', 'i':
		i := int64(ToInt(n))
		if i < 0 {
			return c.addDigits(b, "-", uint64(-i), 10)
		}
		return c.addDigits(b, c.sign(), uint64(i), 10)
	case 'u':
		return c.addDigits(b, "", ToUint64(n), 10)
	case 'o':
		return c.addDigits(b, "", ToUint64(n), 8)
	case 'x', 'X':
		return c.addDigits(b, "", ToUint64(n), 16)
	}
	return c.addFloat(b, n)
}

// sign is what stands before a number that is not negative.
func (c *conversion) sign() string {
	switch {
	case c.plus:
		return "+"
	case c.space:
		return " "
	}
	return ""
}

// addChar is %c. What follows a zero byte is lost, since C takes the output for a string.
func (c *conversion) addChar(b *buffer, char byte) error {
	if char != 0 {
		return c.pad(b, "", byteStrings[char].s, false)
	}
	if c.left {
		return nil
	}
	c.width--
	return c.pad(b, "", "", false)
}

// addDigits adds an integer.
func (c *conversion) addDigits(b *buffer, prefix string, n uint64, base int) error {
	var space [128]byte
	digits := strconv.AppendUint(space[:0], n, base)
	if n == 0 && c.precision == 0 {
		digits = digits[:0]
	}
	precision := c.precision
	if c.alternate && base == 8 && (len(digits) == 0 || digits[0] != '0') {
		precision = max(precision, len(digits)+1)
	}
	if missing := precision - len(digits); missing > 0 {
		digits = append(digits, zeros[:missing]...)
		copy(digits[missing:], digits)
		copy(digits, zeros[:missing])
	}
	if c.alternate && base == 16 && n != 0 {
		prefix = "0x"
	}
	if c.verb == 'X' {
		prefix = strings.ToUpper(prefix)
		for i, d := range digits {
			digits[i] = toUpper(d)
		}
	}
	return c.pad(b, prefix, string(digits), c.precision < 0)
}

// addFloat adds a fraction. Two digits of precision keep it below 412 bytes.
func (c *conversion) addFloat(b *buffer, n float64) error {
	sign := c.sign()
	if math.Signbit(n) {
		sign, n = "-", -n
	}
	var space [512]byte
	digits, special := appendSpecial(space[:0], n)
	if !special {
		digits = c.appendFloat(digits, n)
	}
	if isUpper(c.verb) {
		for i, d := range digits {
			digits[i] = toUpper(d)
		}
	}
	return c.pad(b, sign, string(digits), !special)
}

// appendFloat appends a number that is not negative.
func (c *conversion) appendFloat(digits []byte, n float64) []byte {
	precision := c.precision
	if precision < 0 {
		precision = 6
	}
	verb := toLower(c.verb)
	if verb != 'g' {
		digits = strconv.AppendFloat(digits, n, verb, precision, 64)
		if c.alternate && precision == 0 {
			digits = addPoint(digits, 0)
		}
		return digits
	}
	precision = max(precision, 1)
	digits = strconv.AppendFloat(digits, n, 'g', precision, 64)
	if c.alternate {
		digits = addPoint(digits, precision)
	}
	return digits
}

// addPoint puts a point into digits that have none, and zeros behind it up to so many digits.
func addPoint(digits []byte, precision int) []byte {
	exponent := ""
	for i, d := range digits {
		if d == 'e' {
			exponent = string(digits[i:])
			digits = digits[:i]
			break
		}
	}
	point, count, leading := false, 0, true
	for _, d := range digits {
		switch {
		case d == '.':
			point = true
		case d != '0' || !leading:
			leading = false
			count++
		}
	}
	if leading {
		count = 1 // of 0 the zero counts
	}
	if !point {
		digits = append(digits, '.')
	}
	for ; count < precision; count++ {
		digits = append(digits, '0')
	}
	return append(digits, exponent...)
}

// pad adds a text, filled up to the width: with zeros behind the prefix if the flag says so and
// numeric allows it.
func (c *conversion) pad(b *buffer, prefix, text string, numeric bool) error {
	fill := max(c.width-len(prefix)-len(text), 0)
	before, middle, after := blanks[:fill], "", ""
	switch {
	case c.left:
		before, after = "", blanks[:fill]
	case c.zero && numeric:
		before, middle = "", zeros[:fill]
	}
	for _, part := range [...]string{before, prefix, middle, text, after} {
		if err := b.add(part); err != nil {
			return err
		}
	}
	return nil
}
