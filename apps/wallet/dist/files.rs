// Written by the build of apps/wallet.
&[
    File {
        path: "assets/index-BkvDKZiP.js",
        media_type: "text/javascript; charset=utf-8",
        hashed: true,
        bytes: include_bytes!("assets/index-BkvDKZiP.js"),
        gzip: Some(include_bytes!("assets/index-BkvDKZiP.js.gz")),
    },
    File {
        path: "assets/index-DIOzGmZP.css",
        media_type: "text/css; charset=utf-8",
        hashed: true,
        bytes: include_bytes!("assets/index-DIOzGmZP.css"),
        gzip: Some(include_bytes!("assets/index-DIOzGmZP.css.gz")),
    },
    File {
        path: "icon-192.png",
        media_type: "image/png",
        hashed: false,
        bytes: include_bytes!("icon-192.png"),
        gzip: None,
    },
    File {
        path: "icon-512.png",
        media_type: "image/png",
        hashed: false,
        bytes: include_bytes!("icon-512.png"),
        gzip: None,
    },
    File {
        path: "icon-maskable-512.png",
        media_type: "image/png",
        hashed: false,
        bytes: include_bytes!("icon-maskable-512.png"),
        gzip: None,
    },
    File {
        path: "icon.svg",
        media_type: "image/svg+xml",
        hashed: false,
        bytes: include_bytes!("icon.svg"),
        gzip: None,
    },
    File {
        path: "index.html",
        media_type: "text/html; charset=utf-8",
        hashed: false,
        bytes: include_bytes!("index.html"),
        gzip: Some(include_bytes!("index.html.gz")),
    },
    File {
        path: "sw.js",
        media_type: "text/javascript; charset=utf-8",
        hashed: false,
        bytes: include_bytes!("sw.js"),
        gzip: Some(include_bytes!("sw.js.gz")),
    },
]
