// Package syntax reads Lua 5.1: source becomes a syntax tree, which package lua compiles, and which
// others may look through to know what a script does before it runs.
package syntax

// Func is the body of a function, or a whole chunk, which is a function with Vararg. A Vararg function
// that is no chunk has a local named arg behind its parameters: a table of the arguments if UsesArg,
// otherwise nil.
type Func struct {
	Params   []string
	Vararg   bool
	UsesArg  bool // Vararg, no chunk, and "..." does not occur in it
	Body     []Stmt
	Line     int // where it begins, as messages say; 0: a chunk
	LastLine int // of its end
}

// Stmt is a statement: one of the types below that end in Stmt.
type Stmt interface{ stmt() }

// The statements. Line is where Lua counts errors in the statement itself: of the last word of an
// assignment, of the do of a numeric loop, of what follows the in of a generic one.
type (
	// LocalStmt is local a, b = x, y. Exprs may be fewer, or none.
	LocalStmt struct {
		Names []string
		Exprs []Expr
		Line  int
	}
	// AssignStmt is a, b.c = x, y. Targets are Name or Index.
	AssignStmt struct {
		Targets []Expr
		Exprs   []Expr
		Line    int
	}
	// CallStmt is a call for its effects: a Call or a Method.
	CallStmt struct {
		Call Expr
		Line int
	}
	// DoStmt is do ... end.
	DoStmt struct{ Body []Stmt }
	// WhileStmt is while Cond do ... end.
	WhileStmt struct {
		Cond Expr
		Body []Stmt
		Line int
	}
	// RepeatStmt is repeat ... until Cond, which sees the body's locals.
	RepeatStmt struct {
		Body []Stmt
		Cond Expr
		Line int
	}
	// IfStmt is if, with its elseifs; Else is nil if there is none.
	IfStmt struct {
		Clauses []Clause
		Else    []Stmt
		HasElse bool
	}
	// NumericForStmt is for Name = From, To, Step do ... end. Step may be nil.
	NumericForStmt struct {
		Name           string
		From, To, Step Expr
		Body           []Stmt
		Line           int
	}
	// GenericForStmt is for Names in Exprs do ... end.
	GenericForStmt struct {
		Names []string
		Exprs []Expr
		Body  []Stmt
		Line  int
	}
	// FunctionStmt is function a.b.c() ... end, or a:b(), whose Func has self in front then. Target
	// is a Name or an Index.
	FunctionStmt struct {
		Target Expr
		Func   *Func
		Line   int
	}
	// LocalFunctionStmt is local function f() ... end.
	LocalFunctionStmt struct {
		Name string
		Func *Func
		Line int
	}
	// ReturnStmt is return x, y.
	ReturnStmt struct {
		Exprs []Expr
		Line  int
	}
	// BreakStmt is break; it is inside a loop.
	BreakStmt struct{ Line int }
)

// Clause is a condition of an if, and what it guards.
type Clause struct {
	Cond Expr
	Body []Stmt
	Line int
}

// Expr is an expression: one of the types below.
type Expr interface{ expr() }

// The expressions. Line is where Lua counts errors of the operation, and that is where the parser of
// Lua 5.1 was when it made the code: for an operator the end of its right operand, for a call the
// parenthesis that opens its arguments, for a variable or a field the last word before it was known
// that its value is wanted.
type (
	Nil    struct{}
	True   struct{}
	False  struct{}
	Vararg struct{} // ...

	Number struct{ Value float64 }
	String struct{ Value string } // any bytes

	// Name is a local, an upvalue or a global: which one, the scopes around it say.
	Name struct {
		Name string
		Line int
	}
	// Index is Object[Key]; a.b has a String for its Key.
	Index struct {
		Object, Key Expr
		Line        int
	}
	// Call is Func(Args...). The last argument may be several values.
	Call struct {
		Func Expr
		Args []Expr
		Line int
	}
	// Method is Object:Name(Args...).
	Method struct {
		Object Expr
		Name   string
		Args   []Expr
		Line   int
	}
	// Function is function (...) ... end.
	Function struct{ Func *Func }
	// Binary is Left Op Right, and and or among them.
	Binary struct {
		Op          Op
		Left, Right Expr
		Line        int
	}
	// Unary is Op X.
	Unary struct {
		Op   Op
		X    Expr
		Line int
	}
	// Paren is (X): one value, also if X is several.
	Paren struct{ X Expr }
	// Table is {...}, in the order of the source. The last Item without a key may be several values.
	Table struct {
		Items []Item
		Line  int
	}
)

// Item is an entry of a Table: [Key] = Value, or the next Value of the list if Key is nil.
type Item struct {
	Key, Value Expr
	Line       int
}

// Op is an operator.
type Op uint8

// The operators.
const (
	OpAdd Op = iota
	OpSub
	OpMul
	OpDiv
	OpMod
	OpPow
	OpConcat
	OpEq
	OpNe
	OpLt
	OpLe
	OpGt
	OpGe
	OpAnd
	OpOr
	OpNeg // unary from here on
	OpNot
	OpLen
)

func (*LocalStmt) stmt()         {}
func (*AssignStmt) stmt()        {}
func (*CallStmt) stmt()          {}
func (*DoStmt) stmt()            {}
func (*WhileStmt) stmt()         {}
func (*RepeatStmt) stmt()        {}
func (*IfStmt) stmt()            {}
func (*NumericForStmt) stmt()    {}
func (*GenericForStmt) stmt()    {}
func (*FunctionStmt) stmt()      {}
func (*LocalFunctionStmt) stmt() {}
func (*ReturnStmt) stmt()        {}
func (*BreakStmt) stmt()         {}

func (*Nil) expr()      {}
func (*True) expr()     {}
func (*False) expr()    {}
func (*Vararg) expr()   {}
func (*Number) expr()   {}
func (*String) expr()   {}
func (*Name) expr()     {}
func (*Index) expr()    {}
func (*Call) expr()     {}
func (*Method) expr()   {}
func (*Function) expr() {}
func (*Binary) expr()   {}
func (*Unary) expr()    {}
func (*Paren) expr()    {}
func (*Table) expr()    {}
