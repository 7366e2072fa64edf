package pool

import "github.com/itechsmart/vm/db"

// sets are the built-in templates with packages, for kinds of work.
func sets() []Template {
	set := func(name, description string, packages ...string) Template {
		return Template{BuiltIn: true, Template: db.Template{Name: name, Description: description, Language: "python", Packages: packages}}
	}
	return []Template{
		set("data-science", "Python with NumPy, pandas, SciPy and Matplotlib", "numpy", "pandas", "scipy", "matplotlib"),
		set("web", "Python with Flask and Requests", "flask", "requests"),
		set("testing", "Python with pytest, Hypothesis and Coverage", "pytest", "hypothesis", "coverage"),
	}
}

// replaceable reports whether a user's template may have the name of a built-in
// one, and be meant by it: that of a language says what it is for all users.
func (t Template) replaceable() bool { return t.BuiltIn && len(t.Packages) > 0 }
