"""Lists that need no site: MyAnimeList's export, picked titles, and lists encoded in a URL."""
