// Package access decides who may do and see what: users and their roles,
// rights with the extent on which they may be used, and which calls a user
// sees. One rule serves pages, API, event streams, recordings and the search of
// old calls; every answer says why.
//
// The package itself is pure: it reads no file and knows no HTTP. Its folders
// keep what must last (store, audit) and guard what comes by HTTP (gate).
package access
