"""Makes lua/wnv.lua, the profiles and the generated pages of docs/ from the tables of this package."""
