// Written by the build of apps/wallet.
&[
    ("assets/index-Cg_bRFY2.js", "text/javascript; charset=utf-8", true, include_bytes!("assets/index-Cg_bRFY2.js")),
    ("assets/index-DIOzGmZP.css", "text/css; charset=utf-8", true, include_bytes!("assets/index-DIOzGmZP.css")),
    ("icon-192.png", "image/png", false, include_bytes!("icon-192.png")),
    ("icon-512.png", "image/png", false, include_bytes!("icon-512.png")),
    ("icon-maskable-512.png", "image/png", false, include_bytes!("icon-maskable-512.png")),
    ("icon.svg", "image/svg+xml", false, include_bytes!("icon.svg")),
    ("index.html", "text/html; charset=utf-8", false, include_bytes!("index.html")),
    ("sw.js", "text/javascript; charset=utf-8", false, include_bytes!("sw.js")),
]
