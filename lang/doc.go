// Package lang holds every sentence that a person hears or reads, in each
// language that Markaz speaks: English, Persian, Russian and Chinese.
//
// A sentence is found by key. Its placeholders, such as {name}, are filled from
// pairs of name and value; where a number n decides the form of the words, the
// catalogue has one form for each plural category of the language. Adding a
// language means adding one file beside en.json, and one in each folder.
//
// The package reads nothing but its embedded files, keeps no state that
// changes, and knows nothing of calls: other rooms choose the key.
package lang
