package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/knadh/koanf/parsers/toml/v2"
	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/providers/file"
	"github.com/knadh/koanf/providers/posflag"
	"github.com/knadh/koanf/v2"
	gotoml "github.com/pelletier/go-toml/v2"
	"github.com/spf13/pflag"
)

// envPrefix starts the name of every variable that is ours.
const envPrefix = "HOLDFAST_"

// FileName is the configuration file that is looked for in the data directory.
const FileName = "holdfast.toml"

// Env returns the name of the key's variable in the environment.
func (k Key) Env() string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(k.Name, ".", "_"))
}

// everywhere tells whether every command takes a setting's flag: where the data are, and that they may lie in memory, which any command that opens a directory may ask for.
func everywhere(k Key) bool { return k.Flag == "data" || k.Flag == "volatile" }

// AddDataFlags adds the flags that every command takes: --data, --volatile and --config.
func AddDataFlags(fs *pflag.FlagSet) {
	fs.String("config", "", "read settings from `FILE` (default DATA/"+FileName+", if it is there)")
	addFlags(fs, everywhere)
}

// AddServeFlags adds the flags of serve.
func AddServeFlags(fs *pflag.FlagSet) {
	addFlags(fs, func(k Key) bool { return !everywhere(k) })
}

func addFlags(fs *pflag.FlagSet, want func(Key) bool) {
	for _, k := range new(Config).Keys() {
		if k.Flag == "" || !want(k) {
			continue
		}
		switch k.Value.(type) {
		case *bool:
			fs.Bool(k.Flag, k.Default == "true", k.Help)
		case *string:
			fs.String(k.Flag, k.Default, k.Help)
		default: // a list
			fs.StringArray(k.Flag, nil, k.Help)
		}
	}
}

// Source is where settings come from beside the file.
type Source struct {
	Flags   *pflag.FlagSet // parsed; nil: none
	Environ []string       // as os.Environ gives it
}

// layer is one source of settings.
type layer struct {
	k    *koanf.Koanf
	name func(key string) string // where the key's value comes from
}

// Load reads all sources and checks the result. An error says in one sentence which setting of which source is wrong.
func Load(src Source) (*Config, error) {
	c := &Config{Sources: map[string]string{}}
	keys := c.Keys()
	byName := make(map[string]Key, len(keys))
	for _, k := range keys {
		byName[k.Name] = k
	}
	layers, err := c.layers(src, byName)
	if err != nil {
		return nil, err
	}
	all := koanf.New(".")
	for _, l := range layers {
		if err := all.Merge(l.k); err != nil {
			return nil, fmt.Errorf("configuration: %w", err)
		}
		for _, name := range l.k.Keys() {
			if _, ok := byName[name]; ok {
				c.Sources[name] = l.name(name)
			}
		}
	}
	for _, k := range keys {
		if err := k.set(all.Get(k.Name)); err != nil {
			return nil, fmt.Errorf("%s (%s): %w", k.Name, c.Sources[k.Name], err)
		}
	}
	return c, c.Validate()
}

// layers reads the sources, the weakest first. The file's place depends on the others, so it comes last into being.
func (c *Config) layers(src Source, keys map[string]Key) ([]layer, error) {
	defaults := map[string]any{}
	for name, k := range keys {
		defaults[name] = k.Default
	}
	base := layer{koanf.New("."), func(string) string { return "default" }}
	if err := base.k.Load(confmap.Provider(defaults, "."), nil); err != nil {
		return nil, err
	}
	environ, path, err := loadEnv(src.Environ, keys)
	if err != nil {
		return nil, err
	}
	flags := layer{koanf.New("."), func(name string) string { return "flag --" + keys[name].Flag }}
	if src.Flags != nil {
		if err := flags.k.Load(posflag.ProviderWithFlag(src.Flags, ".", nil, flagValue(src.Flags, keys)), nil); err != nil {
			return nil, err
		}
		if f := src.Flags.Lookup("config"); f != nil && f.Changed {
			path = f.Value.String()
		}
	}
	own := path == ""
	if own {
		data := defaults["data"].(string)
		for _, l := range []layer{environ, flags} {
			if v := l.k.String("data"); v != "" {
				data = v
			}
		}
		path = filepath.Join(data, FileName)
	}
	filed, err := c.loadFile(path, own, keys)
	return []layer{base, filed, environ, flags}, err
}

// flagValue maps a flag that was given to its key.
func flagValue(fs *pflag.FlagSet, keys map[string]Key) func(*pflag.Flag) (string, any) {
	byFlag := map[string]string{}
	for name, k := range keys {
		if k.Flag != "" {
			byFlag[k.Flag] = name
		}
	}
	return func(f *pflag.Flag) (string, any) {
		if !f.Changed {
			return "", nil
		}
		if list, err := fs.GetStringArray(f.Name); err == nil {
			return byFlag[f.Name], list
		}
		return byFlag[f.Name], f.Value.String()
	}
}

// loadFile reads the TOML file. The one in the data directory (own) may be absent.
func (c *Config) loadFile(path string, own bool, keys map[string]Key) (layer, error) {
	l := layer{koanf.New("."), func(string) string { return "file " + path }}
	err := l.k.Load(file.Provider(path), toml.Parser())
	switch {
	case own && (errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)):
		return l, nil
	case errors.Is(err, fs.ErrNotExist):
		return l, fmt.Errorf("the configuration file %s does not exist", path)
	case err != nil:
		return l, place(path, err)
	}
	c.File = path
	for _, name := range l.k.Keys() {
		if _, ok := keys[name]; !ok {
			return l, fmt.Errorf("%s: there is no setting %q%s", path, name, suggest(name, names(keys)))
		}
	}
	if own && l.k.Exists("data") {
		return l, fmt.Errorf("%s: data cannot be set in the file that lies in the data directory; use --data or %sDATA", path, envPrefix)
	}
	return l, nil
}

// place adds line and column to an error of the TOML parser.
func place(path string, err error) error {
	if d, ok := errors.AsType[*gotoml.DecodeError](err); ok {
		row, col := d.Position()
		return fmt.Errorf("the configuration file %s is not TOML at line %d, column %d: %w", path, row, col, err)
	}
	return fmt.Errorf("the configuration file %s cannot be read: %w", path, err)
}

// loadEnv reads HOLDFAST_* variables. path is the configuration file that they name.
func loadEnv(environ []string, keys map[string]Key) (l layer, path string, err error) {
	l = layer{koanf.New("."), func(name string) string { return "environment " + keys[name].Env() }}
	byEnv := map[string]Key{}
	known := []string{envPrefix + "CONFIG"}
	for _, k := range keys {
		byEnv[k.Env()] = k
		known = append(known, k.Env())
		if k.Secret {
			known = append(known, k.Env()+"_FILE")
		}
	}
	transform := func(name, value string) (string, any) {
		if name == envPrefix+"CONFIG" {
			path = value
			return "", nil
		}
		if k, ok := byEnv[name]; ok {
			if value == "" { // as good as unset: composed environments cannot leave one out
				return "", nil
			}
			return k.Name, value
		}
		if k, ok := byEnv[strings.TrimSuffix(name, "_FILE")]; ok && k.Secret {
			b, e := os.ReadFile(value)
			if e != nil {
				err = errors.Join(err, fmt.Errorf("%s: %w", name, e))
			}
			return k.Name, strings.TrimRight(string(b), "\r\n")
		}
		err = errors.Join(err, fmt.Errorf("the environment has %s, which is no setting%s", name, suggest(name, known)))
		return "", nil
	}
	opt := env.Opt{Prefix: envPrefix, TransformFunc: transform, EnvironFunc: func() []string { return environ }}
	if e := l.k.Load(env.Provider(".", opt), nil); e != nil {
		return l, path, e
	}
	return l, path, err
}

func names(keys map[string]Key) []string {
	out := make([]string, 0, len(keys))
	for n := range keys {
		out = append(out, n)
	}
	return out
}
